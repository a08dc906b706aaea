"""What alembic runs for every command: it works on the connection that `api.storage.migrate` hands over."""

from alembic import context

from api.storage.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
