"""Delete stored responses with secrets, and bind stored responses to their caller."""

from plaudit.storage.migrate import run_sql

revision = "20261126_1930"
down_revision = "20261126_1920"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql(__file__)
