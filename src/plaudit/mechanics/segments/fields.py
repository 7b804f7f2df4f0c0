"""The profile field that lists a member's segments."""

from plaudit.core.profile_fields import Keeper, ProfileField, ProfileSource

from .state import groups_in, segments_of


def _segments(source: ProfileSource) -> list[str]:
    return sorted(groups_in(segments_of(source.member)))


PROFILE_FIELDS = (
    ProfileField(
        name="segments", type="array", group="metadata", kept_by=Keeper.engine, parts=("segments",), value=_segments,
        about="`segments` are the member's segments.",
    ),
)  # fmt: skip
