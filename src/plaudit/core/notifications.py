"""Notifications of members: texts in the member's language, with their formulas filled in."""

from uuid import UUID

from .cause import Cause
from .context import Context
from .decision import Notification, Refusal
from .program import Texts

MESSAGE = "message"
STEP_COMPLETED = "step.completed"
CAMPAIGN_COMPLETED = "campaign.completed"


def notify(
    context: Context,
    notification_id: UUID,
    texts: Texts | str,
    cause: Cause,
    kind: str = MESSAGE,
    step: int | None = None,
) -> Refusal | None:
    """Put a notification into the member's inbox, in the member's `language`; `{{ … }}` in its texts are formulas.

    `texts` are texts, or the id of a template; `kind` is one of the three types above. Nobody is told of the past.
    """
    found = context.program.templates.get(texts) if isinstance(texts, str) else texts
    if found is None:
        return Refusal.template_not_found
    if context.is_silent:
        return None
    names, budget = context.scope.names(), context.scope.budget
    title, message = found.for_locale(str(context.member.attributes.get("language") or found.default))
    context.notifications.append(
        Notification(
            notification_id=notification_id,
            type=kind,
            cause=cause,
            step=step,
            display=found.display,
            title=None if title is None else title.render(names, budget),
            message=message.render(names, budget),
            created_at=context.now,
            expires_at=None if found.expires_after is None else context.now + found.expires_after,
        )
    )
    return None
