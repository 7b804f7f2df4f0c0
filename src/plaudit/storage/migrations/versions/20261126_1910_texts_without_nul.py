"""Remove the character U+0000 from profiles."""

from plaudit.storage.migrate import run_sql

revision = "20261126_1910"
down_revision = "20261126_1900"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql(__file__)
