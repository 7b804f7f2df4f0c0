"""The names that members go by beside their user id: how they are written, so that the same is found again."""

import re

EMAIL = "email"
PHONE = "phone"
KINDS = (EMAIL, PHONE)

_EMAIL = re.compile(r"^[^@\s]{1,64}@[^@\s]{1,190}$")
_PHONE = re.compile(r"^\+[0-9]{6,15}$")


def normal(kind: str, value: str) -> str | None:
    """The one way of writing an e-mail address (lower case) or a phone number (E.164); None when it is neither."""
    if kind == EMAIL:
        text = value.strip().lower()
        return text if _EMAIL.match(text) else None
    text = re.sub(r"[\s().-]", "", value)
    return text if _PHONE.match(text) else None


def names_in(value: str) -> list[tuple[str, str]]:
    """The identities that a text may be, normal form."""
    found = [(kind, normal(kind, value)) for kind in KINDS]
    return [(kind, name) for kind, name in found if name is not None]
