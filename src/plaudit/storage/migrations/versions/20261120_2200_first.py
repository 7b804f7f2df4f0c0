"""The first schema: organisations, documents, members and their books, the log, what is scarce, workers."""

from plaudit.storage.migrate import run_sql

revision = "20261120_2200"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql(__file__)
