"""Alembic runs this. The connection comes from db/database.py, which holds a lock meanwhile."""

from alembic import context
from jan_server.library.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite changes a table by copying it
    transactional_ddl=True,  # all of a migration or nothing
)
with context.begin_transaction():
    context.run_migrations()
