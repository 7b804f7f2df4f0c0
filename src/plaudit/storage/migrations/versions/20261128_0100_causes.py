"""Give causes a kind and an id, and use the glossary's words in names and comments."""

from plaudit.storage.migrate import run_sql

revision = "20261128_0100"
down_revision = "20261127_0530"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql(__file__)
