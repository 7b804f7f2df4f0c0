"""The list of the fields of a profile, those of the mechanics included."""

from collections import Counter

import plaudit.mechanics.registry  # noqa: F401  (which adds theirs)
from plaudit.core.profile_fields import PROFILE_FIELDS


def test_a_field_is_listed_once():
    names = Counter(field.name for field in PROFILE_FIELDS)
    assert [name for name, times in names.items() if times > 1] == []
