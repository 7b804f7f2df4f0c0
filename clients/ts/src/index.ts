/**
 * A member's own calls, for apps: what they have, how far they are, what they are told (live), redeeming.
 *
 *     const member = new PlauditMember({ server: "https://loyalty.example.com", token: () => session.token() });
 *     const stop = member.stream({ onNotification: (note) => toast(note.message) });
 *     await member.report("film_watched", { minutes: 120 });
 */

export interface Options {
  /** The API's address. */
  server: string;
  /** The member's token, or a function that answers one; it is asked again when a token has expired. */
  token: string | (() => string | Promise<string>);
  /** The organisation's id; not needed where the token names it, or the host does. */
  org?: string;
  /** How often a call is tried in all, where trying again is safe. 4 unless said. */
  tries?: number;
  /** Another `fetch`, for tests. */
  fetch?: typeof fetch;
}

export interface Balance { balance: number; available: number; pending: number; lifetime: number }
export interface Item { productId: string; name: string | null; type: string | null; quantity: number; receivedAt: string }
export interface Coupon { couponId: string; code: string; status: string; origin: string; expiresAt: string | null }

export interface Me {
  userId: string;
  metrics: Record<string, Balance>;
  badges: string[];
  inventory: Item[];
  coupons: Coupon[];
  segments: string[];
  tier: string | null;
  ladders: Record<string, { rung: string | null; name: string | null; score: number; next: { rung: string; threshold: number; missing: number } | null }>;
  streaks: Record<string, { current: number; longest: number; alive: boolean; freezes: number; extendBy: string | null }>;
  unreadNotifications: number;
}

export interface Step { name: string; current: number; target: number; remaining: number; percent: number; done: boolean }

export interface Campaign {
  campaignId: string;
  name: string;
  subtitle: string | null;
  description: string | null;
  type: string;
  media: string | null;
  startsAt: string | null;
  endsAt: string | null;
  completed: boolean;
  completions?: number;
  steps?: Step[];
  percent?: number;
}

export interface Offer {
  productId: string;
  name: string;
  type: string;
  media: string | null;
  costs: Record<string, number>;
  redeemable: boolean;
  reason: string | null;
}

export interface Notification {
  notificationId: string;
  type: "message" | "step.completed" | "campaign.completed";
  campaignId: string | null;
  step: number | null;
  display: "none" | "toast" | "banner" | "modal";
  title: string | null;
  message: string;
  createdAt: string;
  expiresAt: string | null;
  readAt: string | null;
  metrics: Record<string, { from: number; to: number }>;
  items: { productId: string; quantity: number }[];
  rungs: { ladderId: string; from: string | null; to: string | null }[];
}

export interface Transaction {
  transactionId: string;
  metric: string;
  amount: number;
  balanceAfter: number;
  campaignId: string | null;
  cause: { kind: string; id: string | null };
  reason: string | null;
  occurredAt: string;
}

export interface Redeemed { productId: string; quantity: number; code?: string; couponId?: string; transactions: { metric: string; amount: number; balanceAfter: number }[] }
export interface Paging { limit?: number; cursor?: string }

export interface Listeners {
  onNotification?: (note: Notification) => void;
  /** Something of the member's has changed: look anew at what you show. */
  onChange?: () => void;
  /** The server does not know where the stream was (it was restored): it begins at the present, and `onChange` follows. */
  onReset?: () => void;
  /** The stream is open; `resumed` when it was lost before. */
  onOpen?: (resumed: boolean) => void;
  /** The stream cannot go on: the token is refused. Anything else is tried again by itself. */
  onError?: (error: PlauditError) => void;
}

/** The API refused, or could not be reached (status 0). `code` is stable; `fields` says what is wrong with each. */
export class PlauditError extends Error {
  constructor(message: string, readonly status: number, readonly code: string, readonly fields: Record<string, string> = {}) {
    super(message);
    this.name = "PlauditError";
  }
}

type Json = Record<string, any>;

const TRY_AGAIN = new Set([0, 408, 425, 429, 500, 502, 503, 504]);
const IN_PROGRESS = "in_progress"; // the same call is being answered right now: its answer will be this one's
const PAUSES = [200, 400, 800, 1_600, 5_000, 15_000];
const SILENCE_MS = 40_000; // the server says something every 15 seconds: longer than this, the line is dead

export class PlauditMember {
  readonly #options: Options;
  #token: string | null = null;

  constructor(options: Options) {
    this.#options = options;
  }

  /** Everything at a glance. */
  me(): Promise<Me> { return this.#data("GET", "/api/loyalty/me"); }

  /** The campaigns that are open to the member, with how far they are. */
  async campaigns(): Promise<Campaign[]> { return (await this.#data<Json>("GET", "/api/loyalty/me/campaigns")).campaigns; }

  /** What the member has, and what they could redeem. */
  rewards(): Promise<{ inventory: Item[]; coupons: Coupon[]; available: Offer[] }> { return this.#data("GET", "/api/loyalty/me/rewards"); }

  /** A page of all notifications, the newest first. */
  notifications(paging: Paging = {}): Promise<{ notifications: Notification[]; unread: number; cursor: string | null }> {
    return this.#data("GET", "/api/loyalty/me/notifications" + queryOf(paging));
  }

  /** Mark notifications as read: these, all up to one, or all. */
  markRead(which: { ids?: string[]; upTo?: string } = {}): Promise<{ read: number; unread: number }> {
    return this.#data("POST", "/api/loyalty/notifications/read", which);
  }

  /** A page of the member's transactions, the newest first. */
  transactions(paging: Paging = {}): Promise<{ transactions: Transaction[]; cursor: string | null }> {
    return this.#data("GET", "/api/loyalty/me/transactions" + queryOf(paging));
  }

  /** Report an action of the member's own; durable when this resolves. It counts once, however often it is tried. */
  async report(action: string, data: Record<string, string | number | boolean> = {}, key?: string): Promise<void> {
    await this.#data("POST", "/api/loyalty/action", { action, data }, key);
  }

  /** Spend what a product costs on it. Refused with the reason as `code` when it cannot be had. */
  async redeem(productId: string, quantity = 1, key?: string): Promise<Redeemed> {
    return (await this.#data<Json>("POST", `/api/audience/products/${encodeURIComponent(productId)}/redeem`, { quantity }, key)).result;
  }

  /** Hear what the member is told, live, until the function that this answers is called. Nothing is heard twice. */
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
        const answer = await this.#send("GET", "/api/loyalty/me/stream", undefined, last ? { "Last-Event-ID": last } : {}, signal);
        listeners.onOpen?.(last !== "");
        const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
        for (let rest = ""; ; ) {
          const { value, done } = await reader.read();
          if (done) break;
          clearTimeout(timer);
          timer = setTimeout(() => silence.abort(), SILENCE_MS);
          const blocks = (rest + value).split("\n\n");
          rest = blocks.pop()!;
          for (const block of blocks) {
            const fields: Record<string, string> = {};
            for (const line of block.split("\n")) {
              const at = line.indexOf(":");
              if (at > 0) fields[line.slice(0, at)] = line.slice(at + 1).trimStart();
            }
            last = fields.id ?? last;
            if (fields.event === "notification") listeners.onNotification?.(JSON.parse(fields.data!));
            if (fields.event === "reset") listeners.onReset?.();
            if (fields.event === "changed") listeners.onChange?.();
          }
          failures = 0;
        }
      } catch (error) {
        if (error instanceof PlauditError && [400, 401, 403, 404].includes(error.status)) return listeners.onError?.(error);
      } finally {
        clearTimeout(timer);
      }
      if (!ended.aborted) await pause(failures, ended);
    }
  }

  async #data<T>(method: string, path: string, body?: Json, key?: string): Promise<T> {
    const headers: Record<string, string> = method === "POST" ? { "Idempotency-Key": key ?? crypto.randomUUID() } : {};
    const tries = this.#options.tries ?? 4;
    for (let attempt = 0; ; attempt++) {
      try {
        const answer = await this.#send(method, path, body, headers);
        const text = await answer.text();
        return (text ? JSON.parse(text).data : undefined) as T;
      } catch (error) {
        const again = error instanceof PlauditError && (TRY_AGAIN.has(error.status) || error.code === IN_PROGRESS);
        if (!again || attempt + 1 >= tries) throw error;
      }
      await pause(attempt);
    }
  }

  async #send(method: string, path: string, body: Json | undefined, headers: Record<string, string>, signal?: AbortSignal, again = true): Promise<Response> {
    const { server, token, org } = this.#options;
    this.#token ??= typeof token === "function" ? await token() : token;
    const given: Record<string, string> = { Authorization: `Bearer ${this.#token}`, ...headers };
    if (org) given["X-Monterosa-Org-ID"] = org;
    if (body) given["Content-Type"] = "application/json";
    let answer: Response;
    try {
      answer = await (this.#options.fetch ?? fetch)(server.replace(/\/$/, "") + path, { method, headers: given, body: body && JSON.stringify(body), signal });
    } catch (error) {
      throw new PlauditError(`The server cannot be reached: ${error}`, 0, "unreachable");
    }
    if (answer.ok) return answer;
    if (answer.status === 401 && again && typeof token === "function") {
      this.#token = null;
      return this.#send(method, path, body, headers, signal, false);
    }
    const shown: Json = await answer.json().catch(() => ({}));
    const fields = Object.fromEntries((shown.error?.details ?? []).map((one: Json) => [one.field, one.message]));
    throw new PlauditError(shown.error?.message ?? shown.message ?? `HTTP ${answer.status}`, answer.status, shown.error?.code ?? "", fields);
  }
}

function queryOf(paging: Paging): string {
  const given = Object.entries(paging).filter(([, value]) => value !== undefined);
  return given.length ? "?" + new URLSearchParams(given.map(([name, value]) => [name, String(value)])) : "";
}

function pause(attempt: number, ended?: AbortSignal): Promise<void> {
  const longest = PAUSES[Math.min(attempt, PAUSES.length - 1)]!;
  return new Promise((go) => {
    const timer = setTimeout(go, longest * (0.5 + Math.random() / 2));
    ended?.addEventListener("abort", () => { clearTimeout(timer); go(); }, { once: true });
  });
}
