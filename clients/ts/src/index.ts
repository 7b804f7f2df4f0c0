/**
 * A typed client of Plaudit: `PlauditMember` for apps, with a member's token; `Plaudit` for servers, with an API secret.
 *
 * The types come from the API's OpenAPI document.
 */

export type * from "./api.js";
export type { Bearer, ConnectionOptions, DataOf } from "./connection.js";
export { InvalidSignature, PlauditError } from "./errors.js";
export { PlauditMember } from "./member.js";
export type { Listeners, MemberOptions, Paging } from "./member.js";
export { Plaudit } from "./server.js";
export type { ReportOptions, ServerOptions } from "./server.js";
export { verifyWebhook } from "./webhooks.js";
export type { ReceivedHeaders, VerifyOptions } from "./webhooks.js";
