/** A member's own calls, for apps. */

import type { MemberCampaign, MemberOverview, MemberPath, MemberRewards, Notification, NotificationList, Redemption, TransactionList, components, paths } from "./api.js";
import { Connection, jittered, pause } from "./connection.js";
import type { Bearer, ConnectionOptions } from "./connection.js";
import { PlauditError } from "./errors.js";
import { blocksOf } from "./events.js";

export interface MemberOptions extends ConnectionOptions {
  /** The member's token, or a function that returns it. The function is called again when a token has expired. */
  token: Bearer;
  /** The organisation's id. It is not needed if the token or the host names the organisation. */
  org?: string;
}

export interface Paging { limit?: number; cursor?: string }

export interface Listeners {
  onNotification?: (notification: Notification) => void;
  /** The member's data has changed: fetch what you show again. */
  onChange?: () => void;
  /** The server has lost the position of the stream (it was restored). The stream starts now, and `onChange` follows. */
  onReset?: () => void;
  /** The stream is open. `resumed` is true if it was open before. */
  onOpen?: (resumed: boolean) => void;
  /** The stream has ended, because the token was rejected. The client retries after any other error. */
  onError?: (error: PlauditError) => void;
}

const FATAL = new Set([400, 401, 403, 404]);
const SILENCE_MS = 40_000; // the server sends a comment every 15 seconds, so the connection is dead after 40

/**
 * A member's client.
 *
 *     const member = new PlauditMember({ server: "https://loyalty.example.com", token: () => session.token() });
 *     const stop = member.stream({ onNotification: (notification) => toast(notification.message) });
 *     await member.report("film_watched", { minutes: 120 });
 */
export class PlauditMember extends Connection<Pick<paths, MemberPath>> {
  constructor(options: MemberOptions) {
    super(options, options.token, options.org);
  }

  /** Return the member's overview. */
  me(): Promise<MemberOverview> { return this.get("/api/loyalty/me"); }

  /** Return the campaigns that the member may see, with progress. */
  async campaigns(): Promise<MemberCampaign[]> { return (await this.get("/api/loyalty/me/campaigns")).campaigns; }

  /** Return the member's products and coupons, and what the member can redeem. */
  rewards(): Promise<MemberRewards> { return this.get("/api/loyalty/me/rewards"); }

  /** Return a page of all notifications, newest first. */
  notifications(paging: Paging = {}): Promise<NotificationList> { return this.get("/api/loyalty/me/notifications", { params: { query: { ...paging } } }); }

  /** Mark notifications as read: these, all up to one, or all. */
  markRead(which: components["schemas"]["ReadMarker"] = {}): Promise<components["schemas"]["ReadCount"]> {
    return this.post("/api/loyalty/notifications/read", { body: which });
  }

  /** Return a page of the member's transactions, newest first. */
  transactions(paging: Paging = {}): Promise<TransactionList> { return this.get("/api/loyalty/me/transactions", { params: { query: { ...paging } } }); }

  /** Report an action of the member. It is stored durably when this resolves, and counts once, however often it is sent. */
  async report(action: string, data: Record<string, string | number | boolean> = {}, key?: string): Promise<void> {
    await this.post("/api/loyalty/action", { body: { action, data }, headers: withKey(key) });
  }

  /** Redeem a product for its costs. A refusal is thrown with its reason as the `code`. */
  async redeem(productId: string, quantity = 1, key?: string): Promise<Redemption> {
    const path = "/api/audience/products/{productId}/redeem";
    return (await this.post(path, { params: { path: { productId } }, body: { quantity }, headers: withKey(key) })).result;
  }

  /** Receive the member's notifications live, each once, until the returned function is called. */
  stream(listeners: Listeners): () => void {
    const ended = new AbortController();
    void this.#listen(listeners, ended.signal);
    return () => ended.abort();
  }

  async #listen(listeners: Listeners, ended: AbortSignal): Promise<void> {
    let last = "";
    for (let failures = 0; !ended.aborted; failures++) {
      const silence = new AbortController();
      let timer = setTimeout(() => silence.abort(), SILENCE_MS);
      try {
        const signal = AbortSignal.any([ended, silence.signal]);
        const response = await this.open("/api/loyalty/me/stream", last ? { "Last-Event-ID": last } : {}, signal);
        listeners.onOpen?.(last !== "");
        for await (const event of blocksOf(response)) {
          clearTimeout(timer);
          timer = setTimeout(() => silence.abort(), SILENCE_MS);
          failures = 0;
          last = event.id ?? last;
          if (event.event === "notification") listeners.onNotification?.(JSON.parse(event.data!));
          if (event.event === "reset") listeners.onReset?.();
          if (event.event === "changed") listeners.onChange?.();
        }
      } catch (error) {
        if (error instanceof PlauditError && FATAL.has(error.status)) return listeners.onError?.(error);
      } finally {
        clearTimeout(timer);
      }
      if (!ended.aborted) await pause(jittered(failures + 1), ended);
    }
  }
}

function withKey(key: string | undefined): Record<string, string> {
  return key === undefined ? {} : { "Idempotency-Key": key };
}
