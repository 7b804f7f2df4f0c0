"""Drop fill factors and unneeded indexes of tables that are written with every event."""

from plaudit.storage.migrate import run_sql

revision = "20261121_1100"
down_revision = "20261121_1000"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql(__file__)
