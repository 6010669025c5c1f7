"""Sends slices of a file of Arrow: as Arrow, or as JSON to a server that does not take Arrow yet."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

from timeseries_project.client.arrow_files import Slice, json_items
from timeseries_project.client.item_files import FileError
from timeseries_project.client.sender import ARROW, Client, ClientError, Outcome, RefusedError
from timeseries_project.client.target import Target


class ArrowSender:
    """Sends slices, and remembers which form the server takes. A body that is too large for it is sent in halves."""

    def __init__(self, client: Client, path: Path, target: Target) -> None:
        self._client = client
        self._path = path
        self._target = target
        self._as_json = False

    def send(self, part: Slice) -> Iterator[tuple[Slice, Outcome]]:
        """Send a slice; yield what is stored of it, as it is stored."""
        if not part.rows.num_rows:
            return
        try:
            outcome = self._post(part)
        except RefusedError as error:
            if error.status == HTTPStatus.UNSUPPORTED_MEDIA_TYPE and not self._as_json:
                self._as_json = True
                parts: tuple[Slice, ...] = (part,)
            elif error.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE and part.rows.num_rows > 1:
                parts = part.halves()
            else:
                raise self._explained(part, error) from None
        else:
            yield part, outcome
            return
        for smaller in parts:
            yield from self.send(smaller)

    def _post(self, part: Slice) -> Outcome:
        if self._as_json:
            return self._client.post(self._target, json_items(self._path, part, self._target))
        return self._client.post_body(self._target, part.stream().to_pybytes(), part.rows.num_rows, media_type=ARROW)

    def _explained(self, part: Slice, error: RefusedError) -> Exception:
        if error.index is not None and 0 <= error.index < part.rows.num_rows:
            return FileError(self._path, f"row {part.first + error.index}: {error}")
        last = part.first + part.rows.num_rows - 1
        return ClientError(f"{self._path}, rows {part.first} to {last}: {error}")
