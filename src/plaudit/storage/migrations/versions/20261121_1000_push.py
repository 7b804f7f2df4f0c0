"""Add Web Push: the server's key and members' subscriptions."""

from plaudit.storage.migrate import run_sql

revision = "20261121_1000"
down_revision = "20261121_0900"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql(__file__)
