/** Verify that a webhook's message comes from the server, is unchanged, and is recent (Standard Webhooks). */

import type { AnyMessage } from "./api.js";
import { InvalidSignature } from "./errors.js";

export interface VerifyOptions {
  /** The maximum difference between the message's time and now, in seconds. 300 by default. */
  toleranceSeconds?: number;
  /** The current time, in UNIX seconds (default: now). */
  now?: number;
}

/** Headers in the form of `fetch`, or of Node.js. */
export type ReceivedHeaders = Headers | Record<string, string | string[] | undefined>;

const PREFIX = "whsec_";

/** Return the message in the raw `body` if `secret` signed it and its time is recent. Throw `InvalidSignature` otherwise. */
export async function verifyWebhook(secret: string, headers: ReceivedHeaders, body: string | Uint8Array, options: VerifyOptions = {}): Promise<AnyMessage> {
  const { toleranceSeconds = 300, now = Date.now() / 1_000 } = options;
  const id = headerOf(headers, "webhook-id");
  const timestamp = headerOf(headers, "webhook-timestamp");
  const signatures = headerOf(headers, "webhook-signature")?.split(" ");
  if (!id || !timestamp || !/^\d+$/.test(timestamp) || !signatures) throw new InvalidSignature("The signature headers are missing");
  if (Math.abs(now - Number(timestamp)) > toleranceSeconds) throw new InvalidSignature(`The timestamp is more than ${toleranceSeconds} seconds off`);
  const text = typeof body === "string" ? body : new TextDecoder().decode(body);
  const signed = new TextEncoder().encode(`${id}.${timestamp}.${text}`);
  const key = await crypto.subtle.importKey("raw", keyOf(secret), { name: "HMAC", hash: "SHA-256" }, false, ["verify"]);
  for (const signature of signatures) {
    const bytes = signature.startsWith("v1,") ? fromBase64(signature.slice(3)) : null;
    if (bytes && (await crypto.subtle.verify("HMAC", key, bytes, signed))) return JSON.parse(text);
  }
  throw new InvalidSignature("The signature does not match");
}

function headerOf(headers: ReceivedHeaders, name: string): string | undefined {
  if (headers instanceof Headers) return headers.get(name) ?? undefined;
  const value = Object.entries(headers).find(([header]) => header.toLowerCase() === name)?.[1];
  return Array.isArray(value) ? value.join(" ") : value;
}

function keyOf(secret: string): Uint8Array<ArrayBuffer> {
  return fromBase64(secret.startsWith(PREFIX) ? secret.slice(PREFIX.length) : secret) ?? new TextEncoder().encode(secret);
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> | null {
  try {
    return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  } catch {
    return null;
  }
}
