"""Responses that hold secrets are not kept, and the others are for the caller who got them."""

from plaudit.storage.migrate import run_sql

revision = "20261126_1930"
down_revision = "20261126_1920"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql(__file__)
