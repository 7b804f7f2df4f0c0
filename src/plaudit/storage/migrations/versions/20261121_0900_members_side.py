"""What members' apps need: our own tokens, spaces by name, notifications to be read, streams that are watched."""

from plaudit.storage.migrate import run_sql

revision = "20261121_0900"
down_revision = "20261121_0500"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql(__file__)
