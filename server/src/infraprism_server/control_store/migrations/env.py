"""What Alembic runs for each command: our connection, our metadata, no configuration file."""

from __future__ import annotations

from alembic import context

from infraprism_server.control_store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite changes a table by making it anew
    compare_type=True,
    # The caller's transaction is the one: version and schema change together or not at all.
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
