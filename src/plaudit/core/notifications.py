"""What members are told: texts filled in with what is known, in the member's own language."""

from uuid import UUID

from .deciding import Deciding
from .decision import Notification, Refusal
from .event import QUIET
from .program import Texts

MESSAGE = "message"
STEP_COMPLETED = "step.completed"
CAMPAIGN_COMPLETED = "campaign.completed"


def tell(
    deciding: Deciding,
    notification_id: UUID,
    texts: Texts | str,
    campaign_id: str,
    kind: str = MESSAGE,
    step: int | None = None,
) -> Refusal | None:
    """Put a notification into the member's inbox, in the member's `language`; `{{ … }}` in its texts are formulas.

    `texts` are texts, or the id of a template; `kind` is one of the three types above. Nobody is told of the past.
    """
    found = deciding.program.templates.get(texts) if isinstance(texts, str) else texts
    if found is None:
        return Refusal.template_missing
    if deciding.root.kind in QUIET:
        return None
    names, budget = deciding.scope.names(), deciding.scope.budget
    title, message = found.for_locale(str(deciding.member.attributes.get("language") or found.default))
    deciding.notifications.append(
        Notification(
            notification_id=notification_id,
            type=kind,
            campaign_id=campaign_id,
            step=step,
            display=found.display,
            title=None if title is None else title.filled(names, budget),
            message=message.filled(names, budget),
            created_at=deciding.now,
            expires_at=None if found.lasts is None else deciding.now + found.lasts,
        )
    )
    return None
