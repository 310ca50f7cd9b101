"""What alembic runs for every command; the connection comes from migrations/__init__.py."""

from alembic import context

from models.tables.columns import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    compare_type=True,
    render_as_batch=True,  # SQLite alters a table by copying it
)
context.run_migrations()
