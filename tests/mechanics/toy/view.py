"""How profiles and members see stamp cards."""

from plaudit.view import View


class CardView(View):
    """A member's stamps on a card, and how often it was full."""

    stamps: int
    full: int


class OwnCard(CardView):
    """A stamp card, with the member's stamps."""

    toy_id: str
    name: str
