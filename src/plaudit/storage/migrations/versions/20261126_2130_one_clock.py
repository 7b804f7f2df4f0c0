"""Store when members were last active, whose history is being imported, and when clocks were advanced."""

from plaudit.storage.migrate import run_sql

revision = "20261126_2130"
down_revision = "20261126_1950"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql(__file__)
