"""An event that comes again is told from another of the same key by its content, however that is written."""

from datetime import UTC, datetime
from hashlib import blake2b
from uuid import UUID

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from plaudit.engine.arrival import Payload, arrival_from_client
from plaudit.engine.fingerprints import fingerprint_of

ORG = UUID(int=7)
AT = datetime(2026, 1, 1, tzinfo=UTC)
SCALARS = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    SCALARS | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8
)


def arrival(data):
    return arrival_from_client(
        org_id=ORG, user_id="ann", kind="action", trigger="buy", occurred_at=AT, received_at=AT,
        payload=Payload(data, {}, "a-request"), source="api", event_id=ORG, event_key="k",
    )  # fmt: skip


def in_another_way(value):
    """The same JSON value: its objects from back to front, its whole numbers with a fraction."""
    if isinstance(value, dict):
        return {name: in_another_way(item) for name, item in reversed(value.items())}
    if isinstance(value, list):
        return [in_another_way(item) for item in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


@given(st.dictionaries(st.text(), VALUES))
def test_order_and_fractions_make_no_other_event(data):
    assert fingerprint_of("u", "t", data, {}) == fingerprint_of("u", "t", in_another_way(data), {})


@given(st.dictionaries(st.text(), VALUES), st.dictionaries(st.text(), VALUES))
def test_another_content_is_another_event(one, other):
    same = msgspec.json.encode(in_another_way(one), order="sorted") == msgspec.json.encode(
        in_another_way(other), order="sorted"
    )
    assert (fingerprint_of("u", "t", one, {}) == fingerprint_of("u", "t", other, {})) is same


def test_numbers_that_differ_differ_also_beyond_what_a_fraction_can_tell():
    whole = 2**53
    assert fingerprint_of("u", "t", {"n": whole}, {}) != fingerprint_of("u", "t", {"n": whole + 1}, {})
    assert fingerprint_of("u", "t", {"n": 10**16}, {}) == fingerprint_of("u", "t", {"n": 1e16}, {})


def test_what_earlier_versions_stored_is_still_the_same_event():
    data = {"b": 5.0, "a": [1, {"y": 1, "x": 2}]}
    as_sent = b"ann\nbuy\n" + msgspec.json.encode({"data": data, "metadata": {}})
    stored = int.from_bytes(blake2b(as_sent, digest_size=8).digest(), "big", signed=True)
    assert arrival(data).fingerprint != stored
    assert arrival(data).says(stored)
    assert not arrival(data | {"b": 6}).says(stored)
