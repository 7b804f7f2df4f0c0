"""What response types are made of."""

import msgspec
from msgspec import UNSET, UnsetType

from plaudit.api.views.base import ENCODER, OpenObject, View, page_of, to_builtins, view_from


class Item(View):
    item_id: str
    note: str | UnsetType | None = UNSET


class Box(View):
    first: Item
    others: list[Item]
    by_name: dict[str, Item]
    last: Item | None = None


ItemList = page_of(Item, "all_items", [("count", int)])


def test_a_page_has_the_name_of_its_items_and_of_its_collection():
    assert ItemList.__name__ == "ItemList"
    page = ItemList.of([Item(item_id="a"), Item(item_id="b", note=None)], count=2, cursor="c")
    items = [{"itemId": "a"}, {"itemId": "b", "note": None}]
    assert msgspec.json.decode(ENCODER.encode(page)) == {"allItems": items, "count": 2, "cursor": "c"}


def test_an_open_object_is_sent_with_further_fields_and_its_own_win():
    for further in ({}, {"city": "Oslo"}, {"city": "Oslo", "itemId": "b", "note": "kept: the view has none"}):
        value = OpenObject(Item(item_id="a"), further)
        assert msgspec.json.decode(ENCODER.encode([value])) == to_builtins([value]) == [further | {"itemId": "a"}]


def test_plain_values_become_views_also_inside_and_what_a_type_lacks_is_kept():
    a, b = {"itemId": "a"}, {"itemId": "b", "note": "x", "more": 1}
    box = view_from(Box, {"first": a, "others": [a, b], "byName": {"b": b}, "last": None})
    assert isinstance(box.first, Item)
    assert isinstance(box.others[1], OpenObject)
    assert to_builtins(box) == {"first": a, "others": [a, b], "byName": {"b": b}, "last": None}
