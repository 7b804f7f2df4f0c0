"""The profile field that shows a member's entries."""

from plaudit.core.profile_fields import Keeper, ProfileField

from .state import ENTRIES

PROFILE_FIELDS = (
    ProfileField(name=ENTRIES, type="object", group="mechanics", kept_by=Keeper.shown, is_standard=False),
)
