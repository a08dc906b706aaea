from datetime import UTC, datetime
from logging import LogRecord
from typing import Any

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter as BaseFormatter


class JsonFormatter(BaseFormatter):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # Django puts the request into its records: its text has the query, and there may be a token in it.
        super().__init__(*args, reserved_attrs=[*RESERVED_ATTRS, "request", "color_message"], **kwargs)

    def add_fields(self, log_data: dict[str, Any], record: LogRecord, message_dict: dict[str, Any]) -> None:
        super().add_fields(log_data, record, message_dict)
        log_data["timestamp"] = datetime.fromtimestamp(record.created, UTC).isoformat()
        log_data["level"] = record.levelname
        log_data["logger"] = record.name
        log_data["message"] = record.getMessage()
