"""The meaning of each refusal, and how to resolve it, for the reference and for responses."""

import re

from .decision import CODES_OF_TODAY, Refusal

# The mechanics add theirs.
MEANINGS: dict[str, str] = {
    Refusal.unknown_user: "The user is not enrolled. The action named a user who does not exist, and the setting `autoEnrol` is off; enrol the user first, then retry the event.",
    Refusal.member_merged: "The member has been merged into another. The event is passed on to that member; use that member in commands.",
    Refusal.already_merged: "The member to be merged has been merged before. Use the member that they were merged into.",
    Refusal.opted_out: "The member has opted out. Actions are logged but have no effects until the member opts back in (`POST /api/audience/opt-in`).",
    Refusal.campaign_not_started: "The campaign has not started. The event happened before `startDate`; `next_available_at` says when it starts.",
    Refusal.campaign_ended: "The campaign has ended. The event happened at or after `endDate`; extend `endDate` if late events should count.",
    Refusal.member_moved_on: "Another event of the member was decided in the meantime. Nothing was changed; the command is computed again.",
    Refusal.campaign_in_draft: "The campaign is a draft. Activate it, and it will listen to later events.",
    Refusal.campaign_paused: "The campaign is paused. Activate it, and it will listen to later events.",
    Refusal.coupon_redeemed: "The coupon has been redeemed, so it cannot be revoked.",
    Refusal.coupon_not_found: "The member has no such coupon.",
    Refusal.not_in_segment: "The member is outside the audience. The campaign, effect or product has `segments`, and the member is in none of `include` or in one of `exclude`.",
    Refusal.condition_failed: "A condition was not met. `conditions` in the explanation shows each condition that was evaluated, with the actual value.",
    Refusal.evaluation_failed: "Evaluating it failed. This is a fault of the server: the part that failed is left out, the rest of the event's results apply. Report it.",
    Refusal.cascade_cycle: "The campaign triggered itself. It is already among the causes of this event (or a segment kept flipping), so the chain was cut; remove the cycle.",
    Refusal.cascade_too_deep: "The chain of events is too deep. Too many events followed from one another; shorten the chain of `emit` effects and engine triggers.",
    Refusal.cascade_too_wide: "The event caused too many further events. Look for campaigns that trigger each other.",
    Refusal.campaign_between_occurrences: "The campaign is between two occurrences. It recurs, and the event fell into the gap, or into an occurrence that is over; `next_available_at` says when the next begins.",
    Refusal.not_enrolled: "The member has not joined the campaign. It has `enrolment: required`; call `POST /v1/campaigns/{campaignId}/enrol` or use the effect `enrol`.",
    Refusal.event_before_enrolment: "The event is older than the member's enrolment in the campaign. Only what happens after joining counts.",
    Refusal.step_locked: "An earlier step is not completed. Steps are `sequential`; set `order: any` if they may be done in any order.",
    Refusal.step_already_completed: "The step, or the whole campaign, is already completed. Set `repeatable` if it should start again.",
    Refusal.event_counted: "The event has counted before. It counts once for a step, for one step of a sequential campaign, and for one round of any campaign.",
    Refusal.goal_field_missing: "The event lacks the field that the goal counts. Send `goal.field` in the event's `data`, or correct the path.",
    Refusal.goal_value_already_counted: "This value was already counted. The goal counts distinct values of `goal.field`, each once.",
    Refusal.goal_window_closed: "The goal's window is over. The event is late and belongs to a window that no longer counts.",
    Refusal.exclusive_group_taken: "Another campaign of the same exclusive group fired first. Only the one with the highest `priority` wins an event.",
    Refusal.processing_stopped: "An earlier rule stopped processing. A rule of the same campaign with `stopProcessing` fired for this event.",
    Refusal.limit_per_member_reached: "The member has reached the campaign's limit (`limit.perUser`).",
    Refusal.limit_per_period_reached: "The member has reached the campaign's limit for this period (`limit.perPeriod`). `next_available_at` says when the next period begins.",
    Refusal.cooldown_running: "The cooldown has not passed. The campaign fired less than `cooldown` seconds ago; `next_available_at` says when it ends.",
    Refusal.limit_overall_reached: "The campaign's overall limit is used up (`limit.overall`). Raise it to let more members through.",
    Refusal.amount_not_a_number: "The formula gave no number. It failed on this event's data or returned something else; check `amount` and the fields it uses.",
    Refusal.amount_out_of_range: "The amount is out of range. It is zero, or beyond 10^15 smallest units.",
    Refusal.metric_not_found: "The metric does not exist. It was deleted, or its id is misspelt.",
    Refusal.balance_insufficient: "The balance is insufficient. The debit would take the available balance below the metric's `minimum`; pending and held amounts cannot be spent.",
    Refusal.balance_at_maximum: "The balance is at its maximum. A credit is cut to what fits below `maximum`; here nothing fits.",
    Refusal.earning_cap_reached: "The earning cap of the period is reached. A transaction of 0 is recorded; its `possibleAt` says when the next period begins.",
    Refusal.reversal_too_large: "The reversal exceeds what is left of the transaction. It has been reversed before, partly or fully; ask for at most the rest.",
    Refusal.hold_not_found: "The hold does not exist or has ended. A hold is released automatically when its time is over.",
    Refusal.reward_not_found: "The reward does not exist.",
    Refusal.reward_inactive: "The reward is inactive. Set its `status` to `active`.",
    Refusal.product_not_found: "The product does not exist.",
    Refusal.product_inactive: "The product is inactive or a draft. Set its `status` to `active`.",
    Refusal.product_not_available_yet: "The product is not available yet. It can be redeemed from `startDate`.",
    Refusal.product_no_longer_available: "The product is no longer available. Its `endDate` has passed.",
    Refusal.product_limit_reached: "The member has reached the product's limit (`limitPerUser`; one for a badge).",
    Refusal.product_not_held: "The member does not have the product. There is nothing to remove.",
    Refusal.stock_empty: "The product is out of stock. Raise `allocatedStock`.",
    Refusal.template_not_found: "The notification template does not exist.",
    Refusal.coupon_already_issued: "The member already has a coupon of this reward. Unique coupons are issued once per member.",
    Refusal.pool_not_found: "The code pool does not exist.",
    Refusal.pool_inactive: "The code pool is inactive or has expired. Activate it, or extend `expiresAt`.",
    Refusal.pool_empty: "The code pool has no codes left. Generate or import more.",
}


def all_refusals() -> list[str]:
    """Return all refusals in order of precedence; the mechanics' refusals come last."""
    own = {*Refusal}
    return [*map(str, Refusal), *(code for code in map(str, MEANINGS) if code not in own)]


def meaning_of(refusal: str) -> str:
    """Return the meaning of a refusal, or a sentence made from its code if it has none."""
    return MEANINGS.get(refusal, f"{refusal.replace('_', ' ').capitalize()}.")


def message_of(refusal: str) -> str:
    """Return an error's message for a refusal: the first sentence of its meaning, without the full stop."""
    return _FULL_STOP.split(meaning_of(refusal), maxsplit=1)[0].removesuffix(".")


_FULL_STOP = re.compile(r"\.(?= )")


def codes_in_logs(refusal: str) -> tuple[str, ...]:
    """Return all codes that logs can contain for a refusal: its own, and those of earlier versions."""
    return (refusal, *(old for old, code in CODES_OF_TODAY.items() if code == refusal))
