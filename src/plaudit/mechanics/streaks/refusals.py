"""Why a check-in, a freeze, a repair or an absence is refused."""

from enum import StrEnum


class StreakRefusal(StrEnum):
    """The refusals of streaks, in order of precedence."""

    streak_missing = "streak_missing"
    streak_not_broken = "streak_not_broken"
    turn_counted = "turn_counted"  # the day (week, month) counts already
    repair_too_late = "repair_too_late"
    freezes_full = "freezes_full"
    freezes_none = "freezes_none"
    absence_in_the_past = "absence_in_the_past"


MEANINGS: dict[str, str] = {
    StreakRefusal.streak_missing: "The streak does not exist or is not active.",
    StreakRefusal.streak_not_broken: "The streak is not broken. There is nothing to repair.",
    StreakRefusal.turn_counted: "The day, week or month already counts. A second check-in changes nothing, and a day that counts cannot be frozen.",
    StreakRefusal.repair_too_late: "The repair period is over. A broken streak can be repaired within `repair.days`.",
    StreakRefusal.freezes_full: "The member holds the maximum number of freezes (`freezes.maximum`).",
    StreakRefusal.freezes_none: "The member has no freeze left, or freezes of this streak have no `price` at which they could be bought.",
    StreakRefusal.absence_in_the_past: "The absence begins in the past. Plan it for today or later.",
}
