"""What an error says about a value of the wrong kind."""

from typing import Literal, get_args, get_origin

import msgspec
import pytest

from plaudit.documents.kinds import KINDS
from plaudit.documents.validation import convert
from plaudit.errors import Invalid

CHOICES = [
    (kind, field.encode_name, get_args(field.type))
    for kind in KINDS.values()
    for field in msgspec.structs.fields(kind.type)
    if get_origin(field.type) is Literal
]


@pytest.mark.parametrize(
    ("kind", "field", "choices"), CHOICES, ids=[f"{kind.name}.{field}" for kind, field, _ in CHOICES]
)
def test_a_wrong_choice_names_the_right_ones(kind, field, choices):
    with pytest.raises(Invalid) as refused:
        convert({field: "nope"}, kind.type)
    messages = {error.field: error.message for error in refused.value.fields}
    assert messages[field] == f"must be one of {', '.join(map(str, choices))} (got 'nope')"


def test_kinds_have_choices():
    assert len(CHOICES) > 5
