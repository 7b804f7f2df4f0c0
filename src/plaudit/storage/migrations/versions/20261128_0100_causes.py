"""Causes have a kind and an id. Comments and names are those of the glossary."""

from plaudit.storage.migrate import run_sql

revision = "20261128_0100"
down_revision = "20261127_0530"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql(__file__)
