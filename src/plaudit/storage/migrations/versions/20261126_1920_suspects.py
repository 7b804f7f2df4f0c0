"""What a process died of or hung on is remembered, so that it is not tried for ever."""

from plaudit.storage.migrate import run_sql

revision = "20261126_1920"
down_revision = "20261126_1910"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql(__file__)
