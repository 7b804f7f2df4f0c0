/** Every operation of the API, for servers. */

import type { Action, ActionBatchResult, ActionReceipt, ServerPath, paths } from "./api.js";
import { Connection } from "./connection.js";
import type { Bearer, ConnectionOptions } from "./connection.js";

export interface ServerOptions extends ConnectionOptions {
  /** The organisation's id. */
  org: string;
  /** An API secret or a service token, or a function that returns it. The function is called again when a token has expired. */
  secret: Bearer;
}

export interface ReportOptions {
  /** Your own id of the event, which makes it count once, even if you report it again after a restart. */
  eventId?: string;
  /** When it happened; now by default. */
  occurredAt?: Date;
  /** How many seconds to wait for the outcome. */
  wait?: number;
}

/**
 * A server's client.
 *
 *     const plaudit = new Plaudit({ server: "https://loyalty.example.com", org: ORG, secret: SECRET });
 *     await plaudit.report("ann", "purchase", { amount: 150 }, { eventId: "ORD-1" });
 *     const ann = await plaudit.get("/v1/profiles/{userId}", { params: { path: { userId: "ann" } } });
 */
export class Plaudit extends Connection<Pick<paths, ServerPath>> {
  constructor(options: ServerOptions) {
    super(options, options.secret, options.org);
  }

  /** Report an action. It is stored durably when this resolves, and counts once, however often it is sent. */
  async report(userId: string, action: string, data: Record<string, unknown> = {}, options: ReportOptions = {}): Promise<ActionReceipt> {
    const { eventId = crypto.randomUUID(), occurredAt, wait } = options;
    const body = { userId, action, data, eventId, ...(occurredAt && { timestamp: occurredAt.toISOString() }) };
    const headers = wait === undefined ? {} : { Prefer: `wait=${wait}` };
    return this.post("/api/audience/internal/actions", { body, headers });
  }

  /** Report up to 1,000 actions. Each is validated separately; those without an `eventId` get one. */
  async reportBatch(actions: Action[]): Promise<ActionBatchResult> {
    const body = actions.map((action) => ({ eventId: crypto.randomUUID() as string, ...action }));
    return this.post("/api/audience/internal/actions/batch", { body });
  }
}
