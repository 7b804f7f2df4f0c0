"""Store the events and documents that stopped a process, so that they are not retried for ever."""

from plaudit.storage.migrate import run_sql

revision = "20261126_1920"
down_revision = "20261126_1910"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql(__file__)
