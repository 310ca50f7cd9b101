"""Alembic's environment, run for every command. The connection comes from migrations/__init__.py."""

from alembic import context

from models.tables.columns import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    compare_type=True,
    render_as_batch=True,  # SQLite cannot alter most of a table, so it is copied
)
context.run_migrations()
