"""Let a new mechanic store its states in `progress` without a migration."""

from plaudit.storage.migrate import run_sql

revision = "20261128_0800"
down_revision = "20261128_0100"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql(__file__)
