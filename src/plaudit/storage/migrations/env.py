"""Alembic's entry point: run each migration on the connection passed in, with a limit on waiting for locks."""

from alembic import context
from sqlalchemy import text

connection = context.config.attributes["connection"]
context.configure(connection=connection, transaction_per_migration=True)
with context.begin_transaction():
    # A migration that cannot get its lock soon must fail rather than hold up everybody behind it.
    connection.execute(text("SET lock_timeout = '4s'"))
    context.run_migrations()
