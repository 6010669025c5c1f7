"""The format of a log line: text for people, or one JSON object for machines.

The line ends with the `fields` that a record carries and the id of the request during which it was made. Both formats
write what clients sent as ASCII JSON, so that no name, path or header can start a new line or send escape sequences
to a terminal.
"""

from __future__ import annotations

import json
import logging
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

#: The id of the request that is being answered; empty outside of requests.
request_id: ContextVar[str] = ContextVar("request_id", default="")

#: The lowest status that is logged, for each value of the setting LOG_REQUESTS.
LOGGED_FROM = {"none": 1_000, "errors": 500, "refused": 400, "all": 0}


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    fields = {"request_id": request_id.get(), **getattr(record, "fields", {})}
    return {name: value for name, value in fields.items() if value != ""}


class JsonFormatter(logging.Formatter):
    """One JSON object per record, its traceback included."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")[:-6] + "Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_fields(record),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)


class TextFormatter(logging.Formatter):
    """A line of text that ends with the fields; a traceback follows on separate lines."""

    def __init__(self) -> None:
        super().__init__("{asctime} {levelname} {name}: {message}", style="{")

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Return the line."""
        fields = _fields(record)
        return super().formatMessage(record) + (f" {json.dumps(fields)}" if fields else "")


class ReasonFilter(logging.Filter):
    """Passes only records of exceptions: the request's own line already says that its status was 5xx."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether there is an exception."""
        return record.exc_info is not None


FORMATTERS = {"text": TextFormatter, "json": JsonFormatter}
