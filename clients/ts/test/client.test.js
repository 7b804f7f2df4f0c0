// Against a real server: PLAUDIT_URL, PLAUDIT_ORG, PLAUDIT_TOKEN (of a member), PLAUDIT_SECRET (of a server).
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { test } from "node:test";
import { InvalidSignature, Plaudit, PlauditError, PlauditMember, verifyWebhook } from "../dist/index.js";

const { PLAUDIT_URL: server, PLAUDIT_ORG: org, PLAUDIT_TOKEN: token, PLAUDIT_SECRET: secret } = process.env;

const plaudit = new Plaudit({ server, org, secret });
const member = new PlauditMember({ server, token });

async function until(what) {
  for (let tries = 0; tries < 200; tries++) {
    const found = await what();
    if (found) return found;
    await new Promise((go) => setTimeout(go, 50));
  }
  assert.fail("it did not happen");
}

test("an action leads to points and a notification, live", async (context) => {
  await plaudit.post("/v1/triggers", { body: { key: "clapped", name: "Clapped", openToMembers: true } });
  await plaudit.post("/v1/products", { body: { productId: "cup", name: "Cup", sku: "CUP", type: "merchandise", pointsCost: 5 } });
  await plaudit.post("/v1/campaigns", {
    body: {
      campaignId: "clap", name: "Clap", triggers: [{ type: "clapped" }], effects: [{ type: "add_points", amount: 7 }],
      notification: { title: "Thanks", message: "You clapped" },
    },
  });
  const heard = [];
  let changes = 0;
  let opened = 0;
  const stop = member.stream({ onNotification: (note) => heard.push(note), onChange: () => changes++, onOpen: () => opened++ });
  context.after(stop);
  await until(() => opened);
  await Promise.all([member.report("clapped", { loud: true }, "once"), member.report("clapped", { loud: true }, "once")]);
  const note = await until(() => heard[0]);
  assert.deepEqual([note.title, note.type, note.metrics], ["Thanks", "campaign.completed", { points: { from: 0, to: 7 } }]);
  await until(() => changes);
  const me = await member.me();
  assert.equal(me.metrics.points.balance, 7);
  assert.equal(me.unreadNotifications, 1);
  assert.deepEqual(await member.markRead({ upTo: note.notificationId }), { read: 1, unread: 0 });
  assert.equal((await member.notifications({ limit: 1 })).notifications[0].readAt !== null, true);
  assert.equal((await member.campaigns())[0].campaignId, "clap");
  assert.equal((await member.redeem("cup")).transactions[0].balanceAfter, 2);
  assert.equal((await member.transactions()).transactions.length, 2);
});

test("a refusal is thrown with its reason", async () => {
  await assert.rejects(member.redeem("cup"), (error) => error instanceof PlauditError && error.status === 409 && error.code === "balance_insufficient");
  await assert.rejects(member.report("not open"), (error) => error.status === 400 && "action" in error.fields);
  await assert.rejects(new PlauditMember({ server, token: "a.b.c" }).me(), (error) => error.status === 401);
});

test("what may succeed later is sent again, and an expired token is renewed", async () => {
  let calls = 0;
  let tokens = 0;
  const flaky = async (...given) => (++calls === 1 ? new Response("{}", { status: 503 }) : fetch(...given));
  const other = new PlauditMember({ server, fetch: flaky, token: () => (++tokens === 1 ? "a.b.c" : token) });
  assert.equal((await other.me()).userId.length > 0, true);
  assert.deepEqual([calls, tokens], [3, 2]);
});

test("a server reports, reads, lists page by page, and tries out", async () => {
  const receipt = await plaudit.report("ben", "clapped", { loud: true }, { eventId: "B-1", wait: 20 });
  assert.deepEqual([receipt.eventId, receipt.processed], ["B-1", true]);
  await plaudit.report("ben", "clapped", { loud: true }, { eventId: "B-1" });
  const batch = await plaudit.reportBatch([{ userId: "ben", action: "clapped", eventId: "B-1", data: { loud: true } }, { userId: "ben" }]);
  assert.deepEqual([batch.duplicate, batch.refused], [1, 1]);
  for (const amount of [1, 2]) await plaudit.post("/v1/transactions", { body: { userId: "ben", metric: "points", amount } });
  const { data } = await plaudit.api.POST("/v1/transactions", { params: { query: { dryRun: true } }, body: { userId: "ben", metric: "points", amount: 9 } });
  assert.deepEqual([data.data.amount, data.dryRun.transactions[0].balanceAfter], [9, 19]);
  const amounts = [];
  for await (const transaction of plaudit.iterate("/v1/transactions", { params: { query: { userId: "ben", limit: 2 } } })) amounts.push(transaction.amount);
  assert.deepEqual(amounts, [2, 1, 7]);
  const params = { path: { userId: "ben" } };
  await plaudit.put("/v1/profiles/{userId}", { params, body: { email: "ben@x.org", shoeSize: 44 } });
  const ben = await plaudit.get("/v1/profiles/{userId}", { params });
  assert.deepEqual([ben.metrics.points.balance, ben.email, ben.shoeSize], [10, "ben@x.org", 44]);
  assert.equal((await plaudit.get("/readyz")).status, "ready");
  assert.equal(await plaudit.delete("/v1/products/{productId}", { params: { path: { productId: "cup" } } }).then(() => "deleted"), "deleted");
});

test("an id may be any text, also the name of a call", async () => {
  assert.equal((await plaudit.get("/v1/profiles/schema")).isActive, true);
  for (const userId of ["schema", "no body/at all?"]) {
    await assert.rejects(plaudit.get("/v1/profiles/{userId}", { params: { path: { userId } } }), { status: 404, code: "user_not_found" });
  }
});

test("lines go in and come out", async () => {
  const headers = { "Content-Type": "application/x-ndjson" };
  const report = await plaudit.post("/v1/bulk/import", { body: '{"userId": "dee"}\n{"userId": "eva"}\n', headers });
  assert.equal(report.accepted, 2);
  const { data } = await plaudit.api.GET("/v1/bulk/export", { params: { query: { format: "ndjson" } }, parseAs: "text" });
  assert.equal(data.split("\n").filter((line) => /"userId":"(dee|eva)"/.test(line)).length, 2);
});

test("a write is sent again with the same key, after as long as the server asks for", async () => {
  const keys = [];
  const responses = [
    () => Promise.reject(new TypeError("no network")),
    () => new Response('{"error": {"code": "in_progress"}}', { status: 409 }),
    () => new Response("{}", { status: 429, headers: { "Retry-After": "1" } }),
  ];
  const flaky = async (request) => {
    keys.push(request.headers.get("Idempotency-Key"));
    return responses.length ? responses.shift()() : fetch(request);
  };
  const other = new Plaudit({ server, org, secret, fetch: flaky });
  assert.equal((await other.post("/v1/transactions", { body: { userId: "cy", metric: "points", amount: 1 } })).balanceAfter, 1);
  assert.deepEqual([keys.length, new Set(keys).size], [4, 1]);
  const down = new Plaudit({ server, org, secret, tries: 2, fetch: async () => { throw new TypeError("no network"); } });
  await assert.rejects(down.get("/readyz"), { status: 0, code: "unreachable" });
});

test("a webhook's message is believed only with its signature", async () => {
  const key = Buffer.alloc(32, "1");
  const signed = `whsec_${key.toString("base64")}`;
  const body = '{"type": "x", "data": {"n": 1}}';
  const signature = createHmac("sha256", key).update(`msg_1.1000.${body}`).digest("base64");
  const headers = { "Webhook-Id": "msg_1", "webhook-timestamp": "1000", "webhook-signature": `v1,AAAA v1,${signature}` };
  assert.deepEqual((await verifyWebhook(signed, headers, body, { now: 1_100 })).data, { n: 1 });
  assert.deepEqual((await verifyWebhook(signed, new Headers(headers), Buffer.from(body), { now: 1_100 })).data, { n: 1 });
  for (const [otherSecret, otherHeaders, otherBody, now] of [
    [`whsec_${Buffer.alloc(32, "3").toString("base64")}`, headers, body, 1_100], [signed, headers, `${body} `, 1_100],
    [signed, headers, body, 1_301], [signed, headers, body, 600], [signed, {}, body, 1_100],
    [signed, { ...headers, "Webhook-Id": "msg_2" }, body, 1_100], [signed, { ...headers, "webhook-timestamp": "x" }, body, 1_100],
  ]) {
    await assert.rejects(verifyWebhook(otherSecret, otherHeaders, otherBody, { now }), InvalidSignature);
  }
});
