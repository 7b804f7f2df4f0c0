"""The meaning and statuses of each error code, for the reference and the problem pages."""

from collections.abc import Mapping

from plaudit.core.refusals import MEANINGS
from plaudit.documents.kinds import KINDS
from plaudit.mechanics.registry import MECHANICS

_GENERAL: Mapping[str, tuple[tuple[int, ...], str]] = {
    "already_done": ((409,), "The request was already processed, but its response was not kept or belongs to another caller. Read the result instead of repeating the request; `id` names what was created."),
    "already_exists": ((409,), "Something with this id, SKU, key or slug already exists. Choose another, or change the existing one."),
    "api_key_not_found": ((404,), "The organisation has no API key with this id, or it has been revoked."),
    "bad_csv": ((400,), "The file is not CSV, or a line of it is not. The message says which quote or separator is wrong."),
    "bad_encoding": ((400,), "The file or body is not in the encoding that it declares or needs. Save files as UTF-8."),
    "bad_header": ((400,), "The header of the file has a column that is unknown, unnamed, missing or repeated. No row was imported."),
    "bad_json": ((400,), "The body, or a line of the file, is not JSON."),
    "bad_yaml": ((400,), "The file is not valid YAML, or uses aliases."),
    "campaign_inactive": ((409,), "The campaign is not active. Activate it first."),
    "changed": ((400,), "The user was already imported with different values. Change the profile with `/v1/bulk/update`, and balances with `/v1/transactions`."),
    "code_already_redeemed": ((409,), "The code was already redeemed."),
    "code_expired": ((409,), "The code has expired."),
    "code_not_allocated": ((409,), "The code has not been issued, so it cannot be redeemed."),
    "code_not_found": ((404,), "The pool has no such code."),
    "code_revoked": ((409,), "The code's coupon has been revoked, so it cannot be redeemed."),
    "command_failed": ((500,), "The command failed on the server's side; nothing was changed. Report it."),
    "conflict": ((409,), "The request conflicts with the current state. The message says why."),
    "coupon_not_found": ((404,), "The member has no such coupon."),
    "coupon_revoked": ((404, 409), "The coupon has been revoked: it is not valid, and cannot be revoked again."),
    "cursor_ahead": ((409,), "The cursor is ahead of the feed: the server was restored from a backup. Fetch with `since` and a time before the backup, and skip the messages whose `id` you have."),
    "database_read_only": ((503,), "The database is currently read-only."),
    "database_unreachable": ((503,), "The server cannot reach its database."),
    "delivery_not_found": ((404,), "The webhook has no such delivery."),
    "document_stopped": ((400,), "The document is not evaluated again, because a process ended or hung while evaluating it. Change it."),
    "empty_body": ((400,), "The body is empty, so there is nothing to update."),
    "event_not_found": ((404,), "The organisation has no such event, or it has not failed."),
    "event_stopped": ((500,), "The event is not retried, because a process ended or hung while deciding it."),
    "failed": ((500,), "The job failed because of a fault of the server. Report it."),
    "forbidden": ((403,), "The secret is known, but not for this organisation or not for this call."),
    "helper_ended": ((503,), "A process of the import ended. Send the same file again with `job`."),
    "idempotency_mismatch": ((422,), "The same `Idempotency-Key` or `eventId` was already used with different content. Use another key, or send the same content."),
    "history_missing": ((400,), "The line is about a member whose history has not been imported yet. Import the files of a move in their order."),
    "identity_taken": ((409,), "Another user already has this e-mail address, phone number or other unique field."),
    "in_progress": ((409,), "A request with this `Idempotency-Key` is being processed. Retry shortly."),
    "in_use": ((409,), "Members have balances or codes of it, so it cannot be deleted. Set it inactive instead."),
    "inbox_busy": ((409,), "The clock was not moved: actions are queued and no worker is processing them. Start a worker."),
    "internal_error": ((500,), "The server failed to process the request. Report it with the correlation id."),
    "invalid": ((400,), "The request is not valid. `details` names each field, and what would be right."),
    "job_cancelled": ((409,), "The job was cancelled. What it had imported by then stays."),
    "job_finished": ((409,), "The job has finished, so it cannot be cancelled."),
    "job_not_found": ((400, 404), "No job has this id, or the job is of another kind or cannot be resumed."),
    "key_outlives_caller": ((403,), "The new key would outlive the key that creates it. Set `expiresAt`."),
    "line_too_long": ((400,), "A line of the file has more than 1,048,576 bytes."),
    "member_exists": ((400,), "The user is a member here already, so the history of another server cannot be added to it."),
    "members_only": ((403,), "The call is a member's own. Use a member's token, not an API secret."),
    "merge_not_found": ((409,), "A merge can no longer be reversed when its member was erased."),
    "method_not_allowed": ((405,), "The path exists, but not with this method. `Allow` lists the methods."),
    "missing_fields": ((400,), "Required fields are missing. `details` names them, and what else is wrong."),
    "nested_too_deep": ((400,), "The body is nested too deeply: at most 32 levels."),
    "no_worker": ((503,), "No worker is running. Start `plaudit worker`."),
    "not_a_test": ((403,), "Only a test organisation's clock can be moved (`plaudit org create NAME --test`)."),
    "not_found": ((404,), "The endpoint does not exist, or the organisation has nothing with this id."),
    "not_migrated": ((503,), "The database does not have this version's schema. Run `plaudit migrate`."),
    "not_open_to_members": ((403,), "Members may not report this action themselves: its trigger needs `openToMembers`."),
    "not_undone": ((409,), "It cannot be undone: the message says why. Reverse the wrong transactions by hand."),
    "org_invalid": ((400,), "The header `X-Monterosa-Org-ID` is not a UUID."),
    "org_missing": ((400,), "The header `X-Monterosa-Org-ID` is missing."),
    "org_not_found": ((404,), "The organisation does not exist."),
    "other_campaign": ((400,), "The rule does not belong to the campaign in the path."),
    "overloaded": ((503,), "More actions arrive than the database can store; nothing was stored. Retry later."),
    "own_key": ((409,), "A key cannot revoke itself. Use another one."),
    "partly_refused": ((400, 422), "Some calls of a batch were refused; `results` says which and why. The others are accepted, and count once if the batch is sent again."),
    "product_not_held": ((404, 409), "The member does not have the product. There is nothing to remove."),
    "profile_schema_not_found": ((404,), "The organisation has no profile schema, or not this version of it."),
    "programme_exists": ((409,), "The organisation has a later programme of its own here, so a programme from another server cannot be imported."),
    "push_disabled": ((409,), "Web Push is not enabled. Set `push.contact` in the settings."),
    "rate_limited": ((429,), "More requests than the organisation's limit. `Retry-After` says when to retry."),
    "records_missing": ((409,), "The file's records were not all accepted, unchanged or refused. Send the file again as a new job."),
    "referred_to": ((409,), "Other documents refer to it, so it cannot be deleted. `details` names them."),
    "refused": ((400,), "The line is not retried, because a process ended or hung while importing it."),
    "scope_missing": ((403,), "The API secret or service token lacks the scope that the message names."),
    "servers_only": ((403,), "The call is for servers. Use an API secret, not a member's token."),
    "simple_mode": ((400,), "The campaign is in simple mode, where its rules are generated. Set `simplifiedMode` to false to write rules."),
    "subscription_not_found": ((404,), "The member has no such push subscription."),
    "taken_back": ((409,), "A reversal at both members is final. Transfer or merge again."),
    "token_invalid": ((401,), "The token cannot be accepted. The message says why: expired, of another organisation, of an unknown key or issuer."),
    "too_large": ((413,), "The body is larger than the endpoint accepts."),
    "too_long": ((503,), "The request takes longer than five minutes. Request less, or run the command on the server."),
    "too_many_keys": ((409,), "The organisation has 100 API keys. Revoke one first."),
    "too_many_streams": ((429,), "The member has the maximum number of open streams."),
    "too_slow": ((408,), "The body did not arrive, or too slowly."),
    "transaction_not_found": ((404,), "The transaction does not exist."),
    "transfer_not_found": ((409,), "The transfer's other side is gone, so it cannot be reversed."),
    "transfer_returned": ((409,), "The transfer could not arrive and was returned, so there is nothing to reverse."),
    "twice": ((400,), "The same user is in an earlier line of the file."),
    "unauthenticated": ((401,), "The secret or token is missing or unknown."),
    "unavailable": ((503,), "The server is temporarily unable to process the request. Retry later."),
    "unsupported_encoding": ((415,), "`Content-Encoding` must be gzip, deflate or identity."),
    "unsupported_media": ((415,), "The body is in a format that the endpoint does not accept."),
    "user_not_found": ((404,), "The user does not exist."),
    "version_not_found": ((404,), "The programme version does not exist."),
    "webhook_inactive": ((409,), "The webhook has no `url` or is inactive, so nothing can be delivered."),
    "workers_behind": ((503,), "The workers are more than 30 seconds behind."),
}  # fmt: skip
CODES: dict[str, tuple[tuple[int, ...], str]] = {}  # in alphabetical order


def _follow_mechanics() -> None:
    codes = {**_GENERAL}
    for mechanic in MECHANICS.values():
        codes |= mechanic.error_codes
    CODES.clear()
    CODES.update(sorted(codes.items()))


MECHANICS.follow(_follow_mechanics)


def meaning_of(code: str) -> tuple[tuple[int, ...], str] | None:
    """Return the statuses and the meaning of an error code, or None if it is unknown."""
    if code in CODES:
        return CODES[code]
    for refusal, sentence in MEANINGS.items():
        if refusal == code:
            return (404 if code.endswith("_not_found") else 409,), sentence
    for kind in KINDS.values():
        if code == f"{kind.name}_not_found":
            return (404,), f"The {kind.title.lower()} does not exist."
    return None
