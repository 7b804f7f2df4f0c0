"""Members' identities other than the user id, normalised so that lookups find them."""

import re
import unicodedata

EMAIL = "email"
PHONE = "phone"
KINDS = (EMAIL, PHONE)

_EMAIL = re.compile(r"^[^@\s]{1,64}@[^@\s]{1,190}$")
_PHONE = re.compile(r"^\+[0-9]{6,15}$")


EXPECTED = {EMAIL: "an e-mail address", PHONE: "a phone number such as +441234567890"}
NAME_MAX = 200


def normalise(kind: str, value: str) -> str | None:
    """Return an e-mail address (lower case), a phone number (E.164) or another identity in its normal form.

    Return None for an invalid value. A letter composed of several characters becomes one (NFC), as mail servers see it.
    """
    value = unicodedata.normalize("NFC", value)
    if kind not in KINDS:
        text = value.strip()
        return text if 1 <= len(text) <= NAME_MAX and text.isprintable() else None
    if kind == EMAIL:
        text = value.strip().lower()
        return text if _EMAIL.match(text) else None
    text = re.sub(r"[\s().-]", "", value)
    return text if _PHONE.match(text) else None


def candidates(value: str) -> list[tuple[str, str]]:
    """Return the normalised identities, each with its kind, that a string can be. Kind `*` is any other identity."""
    identities = [(kind, normalise(kind, value)) for kind in (*KINDS, "*")]
    identities.append((EMAIL, value.strip().lower()))  # as earlier versions stored it
    return list(dict.fromkeys((kind, name) for kind, name in identities if name is not None))
