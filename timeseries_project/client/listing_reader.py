"""Reads the listing of an app part by part, as bytes of a dumped file."""

from __future__ import annotations

from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import urlencode

from timeseries_project.client.dump_formats import Arrow, Format, read_arrow, read_rows
from timeseries_project.client.sender import ARROW, JSON, Client, ClientError, Part, RefusedError
from timeseries_project.client.target import Target


class Encoded(NamedTuple):
    """A part of a listing as a file has it, the number of its rows, and the cursor of the next part, if any."""

    part: bytes
    rows: int
    cursor: str | None


class ListingReader:
    """Asks for JSON; for a file of Arrow rather for Arrow, which older servers answer with JSON."""

    def __init__(self, client: Client, target: Target, form: Format, query: dict[str, str]) -> None:
        assert target.listing is not None
        self._client = client
        self._target = target
        self._format = form
        self._path = target.listing.path
        self._query = query

    def part(self, cursor: str | None) -> Encoded:
        """Return the part behind a cursor, or the first one. ClientError if the answer is no listing."""
        query = self._query if cursor is None else {**self._query, "cursor": cursor}
        path = f"{self._path}?{urlencode(query)}"
        found = None
        if isinstance(self._format, Arrow):
            found = self._as_arrow(path, self._format)
        if found is None:
            found = self._as_json(self._client.part(path))
        if found.cursor is not None and found.cursor == cursor:
            raise self._foreign()
        return found

    def _as_arrow(self, path: str, form: Arrow) -> Encoded | None:
        """Return a part that came as Arrow, or as JSON from an older server; None if Arrow cannot hold it."""
        try:
            part = self._client.part(path, media_type=f"{ARROW}, {JSON};q=0.5")
            if part.media_type == JSON:
                return self._as_json(part)
            table = read_arrow(self._target, part.body) if part.media_type == ARROW else None
        except RefusedError as error:
            if error.status == HTTPStatus.NOT_ACCEPTABLE:  # sums of more than 64 bits
                return None
            raise
        except ValueError:  # a row that must become several
            return None
        if table is None:
            raise self._foreign()
        return Encoded(form.table(table), len(table), part.next)

    def _as_json(self, part: Part) -> Encoded:
        rows = read_rows(self._target, part.body)
        if rows is None:
            raise self._foreign()
        found = rows.results
        return Encoded(self._format.body(self._target, found) if found else b"", len(found), rows.next)

    def _foreign(self) -> ClientError:
        return ClientError(
            f"{self._client.url} is not this service: the answer to {self._path} has an unexpected form."
        )
