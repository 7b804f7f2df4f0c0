"""Keep revoked coupons, and find codes regardless of case."""

from plaudit.storage.migrate import run_sql

revision = "20261127_0530"
down_revision = "20261126_2130"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql(__file__)
