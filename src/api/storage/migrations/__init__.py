"""The database's schema, step by step (alembic). `versions` holds the steps; `api.storage.migrate` takes them."""
