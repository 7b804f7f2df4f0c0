"""The profile fields that are computed from a member's streaks."""

from plaudit.core.profile_fields import Keeper, ProfileField, ProfileSource

from .state import streaks_of


def _current(source: ProfileSource) -> int:
    return max((state.current for state in streaks_of(source.member).values()), default=0)


def _longest(source: ProfileSource) -> int:
    return max((state.longest for state in streaks_of(source.member).values()), default=0)


PROFILE_FIELDS = tuple(
    ProfileField(name=name, type="number", group="engagement", kept_by=Keeper.engine, parts=("streaks",), value=value)
    for name, value in (("streak", _current), ("longestStreak", _longest))
)
