"""The tables as the queries see them; the migrations make them."""

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Date,
    DateTime,
    Dialect,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    TypeDecorator,
)

REVISION = "0001"
"""The migration that these tables are the result of."""

metadata = MetaData()


class UtcDateTime(TypeDecorator[datetime]):
    """A point in time. SQLite keeps no time zones, so there it is UTC by convention."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return value and value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return value and (value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC))


users = Table(
    "users",
    metadata,
    Column("username", String(256), primary_key=True),
    Column("password_hash", String(256), nullable=False),
    Column("tier", String(16), nullable=False),
    Column("permissions", JSON, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("hash", LargeBinary, nullable=False),
    Column("username", String(256), nullable=False, index=True),
    Column("name", String(100), nullable=False),
    Column("permissions", JSON, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime),
    Column("revoked_at", UtcDateTime),
)

usage = Table(
    "usage",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("day", Date, nullable=False),
    Column("request_id", String(128), nullable=False),
    Column("username", String(256), nullable=False),
    Column("tier", String(16), nullable=False),
    Column("key_id", String(16)),
    Column("model", String(128), nullable=False),
    Column("prompt_tokens", Integer, nullable=False),
    Column("completion_tokens", Integer, nullable=False),
    Column("cost_nanousd", BigInteger, nullable=False),
    Column("latency_ms", Float, nullable=False),
    Column("status", String(64), nullable=False),
    Index("ix_usage_username_day", "username", "day"),
    Index("ix_usage_day", "day"),
)
