"""Add tables for members' apps: signing keys, slugs, read notifications, watched buckets."""

from plaudit.storage.migrate import run_sql

revision = "20261121_0900"
down_revision = "20261121_0500"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql(__file__)
