"""Add tables for administration: rate limits, idempotency keys, consents, daily totals, the outbox, webhooks, jobs."""

from plaudit.storage.migrate import run_sql

revision = "20261121_0500"
down_revision = "20261120_2200"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql(__file__)
