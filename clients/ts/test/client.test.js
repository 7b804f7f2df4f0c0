// Against a real server: PLAUDIT_URL, PLAUDIT_ORG, PLAUDIT_TOKEN (of a member), PLAUDIT_SECRET (of a server).
import assert from "node:assert/strict";
import { test } from "node:test";
import { PlauditError, PlauditMember } from "../dist/index.js";

const { PLAUDIT_URL: server, PLAUDIT_ORG: org, PLAUDIT_TOKEN: token, PLAUDIT_SECRET: secret } = process.env;

async function asServer(path, body) {
  const headers = { Authorization: `Bearer ${secret}`, "X-Monterosa-Org-ID": org, "Content-Type": "application/json" };
  const answer = await fetch(server + path, { method: "POST", headers, body: JSON.stringify(body) });
  assert.ok(answer.ok, await answer.text());
}

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
  await asServer("/v1/triggers", { key: "clapped", name: "Clapped", openToMembers: true });
  await asServer("/v1/products", { productId: "cup", name: "Cup", sku: "CUP", type: "merchandise", pointsCost: 5 });
  await asServer("/v1/campaigns", {
    campaignId: "clap", name: "Clap", triggers: [{ type: "clapped" }], effects: [{ type: "add_points", amount: 7 }],
    notification: { title: "Thanks", message: "You clapped" },
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

test("refusals are told with their reason", async () => {
  await assert.rejects(member.redeem("cup"), (error) => error instanceof PlauditError && error.status === 409 && error.code === "balance_insufficient");
  await assert.rejects(member.report("not open"), (error) => error.status === 400 && "action" in error.fields);
  await assert.rejects(new PlauditMember({ server, token: "a.b.c" }).me(), (error) => error.status === 401);
});

test("what may be tried again is, and a token is asked for anew", async () => {
  let calls = 0;
  let tokens = 0;
  const flaky = async (...given) => (++calls === 1 ? new Response("{}", { status: 503 }) : fetch(...given));
  const other = new PlauditMember({ server, fetch: flaky, token: () => (++tokens === 1 ? "a.b.c" : token) });
  assert.equal((await other.me()).userId.length > 0, true);
  assert.deepEqual([calls, tokens], [3, 2]);
});
