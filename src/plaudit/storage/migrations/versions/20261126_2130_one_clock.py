"""When members were last active, who is being imported, when clocks were moved."""

from plaudit.storage.migrate import run_sql

revision = "20261126_2130"
down_revision = "20261126_1950"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql(__file__)
