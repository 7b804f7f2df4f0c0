"""The reasons why a check-in, a freeze, a repair or an absence is refused."""

from enum import StrEnum


class StreakRefusal(StrEnum):
    """The refusals of streaks, in order of precedence."""

    streak_not_found = "streak_not_found"
    streak_not_broken = "streak_not_broken"
    already_checked_in = "already_checked_in"  # the day, week or month already counts
    repair_too_late = "repair_too_late"
    freezes_at_maximum = "freezes_at_maximum"
    no_freeze_left = "no_freeze_left"
    freeze_not_for_sale = "freeze_not_for_sale"
    day_not_freezable = "day_not_freezable"
    absence_in_the_past = "absence_in_the_past"


MEANINGS: dict[str, str] = {
    StreakRefusal.streak_not_found: "The streak does not exist or is not active.",
    StreakRefusal.streak_not_broken: "The streak is not broken. There is nothing to repair.",
    StreakRefusal.already_checked_in: "The day, week or month already counts. A second check-in changes nothing and is not an error.",
    StreakRefusal.repair_too_late: "The repair period is over. A broken streak can be repaired within `repair.days`.",
    StreakRefusal.freezes_at_maximum: "The member holds the maximum number of freezes (`freezes.maximum`).",
    StreakRefusal.no_freeze_left: "The member has no freeze left. Grant one, or let the member buy one.",
    StreakRefusal.freeze_not_for_sale: "Freezes of this streak cannot be bought. Give it a `freezes.price`.",
    StreakRefusal.day_not_freezable: "The day cannot be frozen. It is in the past, already counts, or is already frozen.",
    StreakRefusal.absence_in_the_past: "The absence begins in the past. Plan it for today or later.",
}

FORMER: dict[str, str] = {
    "streak_missing": StreakRefusal.streak_not_found,
    "turn_counted": StreakRefusal.already_checked_in,
    "freezes_full": StreakRefusal.freezes_at_maximum,
    "freezes_none": StreakRefusal.no_freeze_left,
}
