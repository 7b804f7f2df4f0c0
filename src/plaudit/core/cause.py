"""Causes: why a transaction, a grant or a notification exists. Each has a kind and, usually, an id.

Ids of effects are derived from a cause's text, so the text never changes. The log stores the text, unless a campaign's
id reads like another cause (`manual_grant`, `streak.daily`): then it stores the kind and the id.
"""

from enum import StrEnum
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import force_setattr


class CauseKind(StrEnum):
    """The kinds of causes outside the mechanics. A mechanic's cause has the mechanic's name and the document's id."""

    campaign = "campaign"  # with its id
    manual = "manual"  # a manual transaction, transfer, hold or reversal
    manual_grant = "manual_grant"  # a reward granted manually
    opening = "opening"  # the initial balance of a metric
    expiry = "expiry"  # amounts that expire or are released; with the metric's id
    welcome_bonus = "welcome_bonus"
    enrolment = "enrolment"  # joining the programme
    referral = "referral"
    profile = "profile"
    redemption = "redemption"
    imported = "import"
    merge = "merge"
    rollback = "rollback"  # items withdrawn manually


# The cause as the log holds it: its text, or its kind and id where the text reads like another cause.
LoggedCause = str | tuple[str, str]

_CAMPAIGN: Final = CauseKind.campaign.value


class Cause(Struct, frozen=True, gc=False):
    """Why something happened: `kind` is a CauseKind or a mechanic's name; `id` is empty for kinds with a single cause.

    `text` is the cause as one word, and `logged` is its form in the log. Both are derived from `kind` and `id`.
    """

    kind: str
    id: str = ""
    text: str = ""
    logged: LoggedCause = ""

    def __post_init__(self) -> None:
        text = self.id if self.kind == _CAMPAIGN else f"{self.kind}.{self.id}" if self.id else self.kind
        force_setattr(self, "text", text)
        force_setattr(self, "logged", text if _read(text) == (self.kind, self.id) else (self.kind, self.id))

    @property
    def campaign_id(self) -> str | None:
        """Return the campaign's id, or None if the cause is not a campaign."""
        return self.id if self.kind == _CAMPAIGN else None


# Texts that name a cause other than a campaign: these words, and ids that begin with one of these kinds. Kinds that were
# added later are not listed: their causes are logged by kind and id, so a campaign's id cannot be mistaken for them.
_WITHOUT_ID: Final = frozenset(kind.value for kind in CauseKind if kind not in (CauseKind.campaign, CauseKind.expiry))
_WITH_ID: Final = frozenset({CauseKind.expiry.value, "streak", "ladder", "segment", "competition"})


def _read(text: str) -> tuple[str, str]:
    """Return the kind and the id of a cause's text."""
    if text in _WITHOUT_ID:
        return text, ""
    kind, dot, id_ = text.partition(".")
    return (kind, id_) if dot and kind in _WITH_ID else (_CAMPAIGN, text)


def cause_from_text(text: str) -> Cause:
    """Return the cause that a text names: a campaign, unless the text reads like another cause."""
    return Cause(*_read(text))


def cause_from_log(logged: LoggedCause) -> Cause:
    """Return a cause from its form in the log."""
    return Cause(*(_read(logged) if isinstance(logged, str) else logged))


def campaign_cause(campaign_id: str) -> Cause:
    """Return a campaign as a cause."""
    return Cause(_CAMPAIGN, campaign_id)


MANUAL: Final = Cause(CauseKind.manual.value)
MANUAL_GRANT: Final = Cause(CauseKind.manual_grant.value)
OPENING: Final = Cause(CauseKind.opening.value)
WELCOME_BONUS: Final = Cause(CauseKind.welcome_bonus.value)
ENROLMENT: Final = Cause(CauseKind.enrolment.value)
REFERRAL: Final = Cause(CauseKind.referral.value)
PROFILE: Final = Cause(CauseKind.profile.value)
REDEMPTION: Final = Cause(CauseKind.redemption.value)
IMPORT: Final = Cause(CauseKind.imported.value)
MERGE: Final = Cause(CauseKind.merge.value)
ROLLBACK: Final = Cause(CauseKind.rollback.value)


def expiry_cause(metric_id: str) -> Cause:
    """Return the cause of expired and released amounts of a metric."""
    return Cause(CauseKind.expiry.value, metric_id)


UNKNOWN: Final = Cause("")


def public_campaign_id(cause: Cause) -> str | None:
    """Return the `campaignId` that other systems see: `manual_grant` for a reward granted manually, as documented."""
    return CauseKind.manual_grant.value if cause == MANUAL_GRANT else cause.campaign_id


def cause_fields(cause: Cause) -> dict[str, Any]:
    """Return the fields of a cause as other systems see them."""
    return {"campaignId": public_campaign_id(cause), "cause": {"kind": cause.kind, "id": cause.id or None}}
