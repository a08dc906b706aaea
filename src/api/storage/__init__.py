"""What is kept in the database: PostgreSQL or SQLite.

Importing this takes a third of a second (SQLAlchemy), so the service does it in the background: `api.services.database`.
"""
