"""Store which member another member was merged into."""

from plaudit.storage.migrate import run_sql

revision = "20261126_1950"
down_revision = "20261126_1940"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql(__file__)
