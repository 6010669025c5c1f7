"""What a line of the log looks like: of text for people, or one JSON object for machines.

A record may carry `fields`; they are part of its line, as is the id of the request that it was made in. Both forms
write what clients sent as JSON in ASCII, so that no name, path or header can begin a line of its own, or speak to
a terminal.
"""

from __future__ import annotations

import json
import logging
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

#: The id of the request that is being answered; none outside of one.
request_id: ContextVar[str] = ContextVar("request_id", default="")

#: From which status on a request has a line of its own, by the setting LOG_REQUESTS.
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
    """A line of text, the fields behind it; a traceback follows on lines of its own."""

    def __init__(self) -> None:
        super().__init__("{asctime} {levelname} {name}: {message}", style="{")

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Return the line."""
        fields = _fields(record)
        return super().formatMessage(record) + (f" {json.dumps(fields)}" if fields else "")


class ReasonFilter(logging.Filter):
    """Lets only exceptions pass: that an answer was a 5xx is what the request's own line says."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether there is an exception."""
        return record.exc_info is not None


FORMATTERS = {"text": TextFormatter, "json": JsonFormatter}
