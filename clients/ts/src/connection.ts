/** How both clients send requests: with credentials, retries where they are safe, and keys that make a POST count once. */

import createClient from "openapi-fetch";
import type { Client, ClientOptions, FetchResponse, MaybeOptionalInit } from "openapi-fetch";
import type { paths } from "./api.js";
import { PlauditError, readError } from "./errors.js";

export interface ConnectionOptions {
  /** The API's address. */
  server: string;
  /** The maximum number of tries, if a request may succeed later. 4 by default. */
  tries?: number;
  /** Another `fetch`, for tests. */
  fetch?: (request: Request) => Promise<Response>;
}

/** A token or secret, or a function that returns it. The function is called again when the server rejects a token. */
export type Bearer = string | (() => string | Promise<string>);

/** The data of a response, without its envelope. */
export type DataOf<Body> = Body extends { success: true; data: infer Data } | { message: "OK"; data: infer Data } ? Data : Body;

type Method = "get" | "post" | "put" | "patch" | "delete";
type PathWith<Paths, M extends Method> = { [P in keyof Paths]: Paths[P] extends Record<M, object> ? P : never }[keyof Paths];
type InitOf<Paths, P extends keyof Paths, M extends Method> = MaybeOptionalInit<Paths[P], M & keyof Paths[P]>;
/** What a call takes after the path: nothing is needed if it has no required parameters and no body. */
type Rest<Init> = undefined extends Init ? [init?: Init] : [init: Init];
type Operation<Path, M extends Method> = Path extends Record<M, infer Found extends Record<string | number, any>> ? Found : never;
type Body<Path, M extends Method, Init> = Exclude<FetchResponse<Operation<Path, M>, Init, `${string}/${string}`>["data"], undefined>;
type Call<Paths, M extends Method> = <P extends PathWith<Paths, M>, Init extends InitOf<Paths, P, M>>(
  path: P,
  ...rest: Rest<Init>
) => Promise<DataOf<Body<Paths[P], M, Init>>>;

/** The items of a page: its only list. */
type ItemOf<Page> = { [Name in keyof Page]-?: Page[Name] extends readonly (infer Item)[] ? Item : never }[keyof Page];

const RETRYABLE = new Set([0, 408, 425, 429, 500, 502, 503, 504]);
const IN_PROGRESS = "in_progress"; // the first request is still being processed; a retry gets its response
const DELAYS_MS = [200, 400, 800, 1_600, 5_000, 15_000];
const DELAY_MS_MAX = 20_000;
const JSON_MEDIA = "application/json";

/** A connection to a server, for the `Paths` that the caller may use. */
export class Connection<Paths extends {} = paths> {
  /** Every operation, by its path, with the whole response. `get`, `post`, `put`, `patch` and `delete` return its data. */
  readonly api: Client<Paths>;
  readonly get: Call<Paths, "get">;
  readonly post: Call<Paths, "post">;
  readonly put: Call<Paths, "put">;
  readonly patch: Call<Paths, "patch">;
  readonly delete: Call<Paths, "delete">;
  readonly #options: ConnectionOptions;
  readonly #bearer: Bearer;
  readonly #org: string | undefined;
  #token: string | null = null;

  constructor(options: ConnectionOptions, bearer: Bearer, org: string | undefined) {
    this.#options = options;
    this.#bearer = bearer;
    this.#org = org;
    this.api = createClient<Paths>({
      baseUrl: options.server,
      fetch: (request) => this.#send(request),
      pathSerializer: filledIn,
      bodySerializer: encoded,
    } as ClientOptions);
    this.get = dataOf(this.api.GET) as Call<Paths, "get">;
    this.post = dataOf(this.api.POST) as Call<Paths, "post">;
    this.put = dataOf(this.api.PUT) as Call<Paths, "put">;
    this.patch = dataOf(this.api.PATCH) as Call<Paths, "patch">;
    this.delete = dataOf(this.api.DELETE) as Call<Paths, "delete">;
  }

  /** Yield the items of all pages of a list: `for await (const campaign of plaudit.iterate("/v1/campaigns"))`. */
  async *iterate<P extends PathWith<Paths, "get">, Init extends InitOf<Paths, P, "get">>(
    path: P,
    ...[init]: Rest<Init>
  ): AsyncGenerator<ItemOf<DataOf<Body<Paths[P], "get", Init>>>> {
    const get = this.get as (path: P, init: object) => Promise<{ cursor: string | null }>;
    const params = (init as { params?: { query?: object } } | undefined)?.params;
    for (let cursor: string | null | undefined; cursor !== null; ) {
      const query = { ...params?.query, ...(cursor && { cursor }) };
      const page = await get(path, { ...init, params: { ...params, query } });
      yield* Object.values<any>(page).find(Array.isArray) ?? [];
      cursor = page.cursor ?? null;
    }
  }

  /** Send a request once, and return its response; throw a PlauditError for any other status than 2xx. */
  protected async open(path: string, headers: Record<string, string>, signal: AbortSignal): Promise<Response> {
    return this.#send(new Request(this.#options.server.replace(/\/$/, "") + path, { headers, signal }), 1);
  }

  async #send(request: Request, tries = this.#options.tries ?? 4): Promise<Response> {
    const isJson = (request.headers.get("Content-Type") ?? JSON_MEDIA) === JSON_MEDIA;
    if (request.method === "POST" && isJson && !request.headers.has("Idempotency-Key")) {
      request.headers.set("Idempotency-Key", crypto.randomUUID());
    }
    for (let attempt = 1; ; attempt++) {
      const isLast = !isJson || attempt >= tries; // a stream of lines can be sent only once
      const response = await this.#sendAs(isLast ? request : request.clone(), isJson);
      if (response instanceof Response && response.status < 400) return response;
      const error = response instanceof Response ? await readError(response) : response;
      if (isLast || !(RETRYABLE.has(error.status) || error.code === IN_PROGRESS)) throw error;
      const after = response instanceof Response ? Number(response.headers.get("Retry-After")) : 0;
      await pause(after ? Math.min(after * 1_000, DELAY_MS_MAX) : jittered(attempt), request.signal);
    }
  }

  /** Send a request with the caller's token. If the server rejects it, get a new token and try again. */
  async #sendAs(request: Request, mayRenew: boolean): Promise<Response | PlauditError> {
    const bearer = this.#bearer;
    const again = mayRenew && typeof bearer === "function" ? request.clone() : null;
    this.#token ??= typeof bearer === "function" ? await bearer() : bearer;
    request.headers.set("Authorization", `Bearer ${this.#token}`);
    if (this.#org) request.headers.set("X-Monterosa-Org-ID", this.#org);
    let response: Response;
    try {
      response = await (this.#options.fetch ?? fetch)(request);
    } catch (error) {
      if (request.signal.aborted) throw error;
      return new PlauditError(`Cannot reach the server: ${error}`, 0, "unreachable");
    }
    if (response.status !== 401 || typeof bearer !== "function") return response;
    this.#token = null;
    return again ? this.#sendAs(again, false) : response;
  }
}

/** Wait, but end early if the signal is aborted. */
export function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener("abort", () => { clearTimeout(timer); resolve(); }, { once: true });
  });
}

/** Return how long to wait before retry number `attempt` (from 1): longer each time, with jitter. */
export function jittered(attempt: number): number {
  return DELAYS_MS[Math.min(attempt, DELAYS_MS.length) - 1]! * (0.5 + Math.random() / 2);
}

function dataOf(call: unknown): unknown {
  const send = call as (path: string, init?: object) => Promise<{ data?: unknown }>;
  return async (path: string, init?: object) => {
    const { data } = await send(path, init);
    return isEnvelope(data) ? data.data : data;
  };
}

function isEnvelope(body: unknown): body is { data: unknown } {
  if (typeof body !== "object" || body === null || !("data" in body)) return false;
  return ("success" in body && body.success === true) || ("message" in body && body.message === "OK");
}

/** Return a path with its parameters. An id that is also the name of an endpoint has one letter encoded. */
function filledIn(path: string, params: Record<string, unknown>): string {
  return path.replace(/{(\w+)}/g, (_, name: string) => {
    const value = String(params[name]);
    return value === "schema" ? "%73chema" : encodeURIComponent(value);
  });
}

/** Return the encoded body: text and bytes unchanged, everything else as JSON. */
function encoded(body: unknown): BodyInit {
  const isSent = typeof body === "string" || body instanceof Blob || body instanceof ArrayBuffer || ArrayBuffer.isView(body) || body instanceof ReadableStream;
  return isSent ? (body as BodyInit) : JSON.stringify(body);
}
