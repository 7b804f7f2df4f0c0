"""Coupons that were revoked stay; codes are found in whichever case they are typed."""

from plaudit.storage.migrate import run_sql

revision = "20261127_0530"
down_revision = "20261126_2130"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql(__file__)
