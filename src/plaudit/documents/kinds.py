"""The registry: the one list of kinds that the API, the store, the docs and the compiler read."""

from . import (
    campaign,
    code_pool,
    competition,
    custom_field,
    ladder,
    metric,
    product,
    profile_schema,
    reward,
    rule,
    segment,
    settings,
    streak,
    template,
    trigger,
    webhook,
)
from .base import DocumentKind

KINDS: dict[str, DocumentKind] = {
    module.KIND.name: module.KIND
    for module in (
        campaign,
        rule,
        trigger,
        metric,
        product,
        reward,
        code_pool,
        competition,
        streak,
        ladder,
        segment,
        template,
        webhook,
        custom_field,
        profile_schema,
        settings,
    )
}
