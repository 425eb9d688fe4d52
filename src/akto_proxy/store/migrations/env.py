"""How Alembic runs our steps: on the connection it is given, each in a transaction. Never offline."""

from __future__ import annotations

from alembic import context

from akto_proxy.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
