"""Alembic's way in: runs on a connection that is handed over, each migration with a bound on waiting for locks."""

from alembic import context
from sqlalchemy import text

connection = context.config.attributes["connection"]
context.configure(connection=connection, transaction_per_migration=True)
with context.begin_transaction():
    # A migration that cannot get its lock soon must fail rather than hold up everybody behind it.
    connection.execute(text("SET lock_timeout = '4s'"))
    context.run_migrations()
