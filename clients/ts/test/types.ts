// What compiles, and what does not: checked by `tsc -p test`, never run.
import { Plaudit, PlauditMember, verifyWebhook } from "../src/index.ts";
import type { Campaign, DryRun, Profile, Transaction } from "../src/index.ts";

declare const plaudit: Plaudit;
declare const member: PlauditMember;

export async function servers(): Promise<void> {
  const profile: Profile = await plaudit.get("/v1/profiles/{userId}", { params: { path: { userId: "ann" } } });
  const email: string | null | undefined = profile.email;
  const further: unknown = profile["shoeSize"];
  const body = { userId: "ann", metric: "points", amount: 7 };
  const paid: Transaction = await plaudit.post("/v1/transactions", { body });
  const { data } = await plaudit.api.POST("/v1/transactions", { params: { query: { dryRun: true } }, body });
  const tried: DryRun | undefined = data?.dryRun;
  for await (const campaign of plaudit.iterate("/v1/campaigns", { params: { query: { status: "active" } } })) {
    const shown: Campaign = campaign;
    void shown;
  }
  const { status } = await plaudit.get("/readyz");
  void [email, further, paid, tried, status];
  // @ts-expect-error a path that there is not
  await plaudit.get("/v1/profile");
  // @ts-expect-error a member's call
  await plaudit.get("/api/loyalty/me");
  // @ts-expect-error the path has a parameter
  await plaudit.get("/v1/profiles/{userId}");
  // @ts-expect-error a body without what it must have
  await plaudit.post("/v1/transactions", { body: { userId: "ann" } });
  // @ts-expect-error a parameter that there is not
  await plaudit.get("/v1/campaigns", { params: { query: { page: 2 } } });
}

export async function members(): Promise<void> {
  const me = await member.me();
  const balance: number | undefined = me.metrics["points"]?.balance;
  const coupon = (await member.rewards()).coupons[0]?.code;
  const code: string | null | undefined = (await member.redeem("cup")).code;
  void [balance, coupon, code];
  // @ts-expect-error a call of servers
  await member.get("/v1/campaigns");
}

export async function webhooks(): Promise<void> {
  const message = await verifyWebhook("whsec_", new Headers(), "{}");
  if (message.type === "transaction.created") {
    const amount: number = message.data.amount;
    void amount;
  }
}
