"""Notifications for members: texts in the member's language, with their formulas replaced by values."""

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
    """Notify the member in their `language`; `{{ … }}` in the texts are formulas. Return the refusal, or None.

    `texts` can be the id of a template; `kind` is one of the three types above. Silent commands notify no one.
    """
    template = context.program.templates.get(texts) if isinstance(texts, str) else texts
    if template is None:
        return Refusal.template_not_found
    if context.is_silent:
        return None
    names, budget = context.scope.names(), context.scope.budget
    title, message = template.for_locale(str(context.member.attributes.get("language") or template.default))
    context.notifications.append(
        Notification(
            notification_id=notification_id,
            type=kind,
            cause=cause,
            step=step,
            display=template.display,
            title=None if title is None else title.render(names, budget),
            message=message.render(names, budget),
            created_at=context.now,
            expires_at=None if template.expires_after is None else context.now + template.expires_after,
        )
    )
    return None
