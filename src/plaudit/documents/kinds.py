"""The registry of all kinds of documents."""

from collections.abc import Iterator, Mapping

from plaudit.mechanics.registry import MECHANICS

from . import (
    campaign,
    code_pool,
    custom_field,
    metric,
    product,
    profile_schema,
    reward,
    rule,
    settings,
    template,
    trigger,
    webhook,
)
from .base import DocumentKind

_FIRST = (campaign, rule, trigger, metric, product, reward, code_pool)
_LAST = (template, webhook, custom_field, profile_schema, settings)


class _Kinds(Mapping[str, DocumentKind]):
    """The kinds by name, including those of the registered mechanics."""

    def __init__(self) -> None:
        self._own = {module.KIND.name: module.KIND for module in (*_FIRST, *_LAST)}

    def __getitem__(self, name: str) -> DocumentKind:
        kind = self._own.get(name)
        return MECHANICS[name].document if kind is None else kind

    def __iter__(self) -> Iterator[str]:
        yield from (module.KIND.name for module in _FIRST)
        yield from MECHANICS
        yield from (module.KIND.name for module in _LAST)

    def __len__(self) -> int:
        return len(self._own) + len(MECHANICS)


KINDS = _Kinds()
