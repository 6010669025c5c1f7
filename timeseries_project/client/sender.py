"""The service's client: sends batches over HTTP, fetches listings, and repeats requests while the server is away.

A datapoint can be sent again safely (`on_duplicate=skip`). An entry or a transaction has no identity: if a connection
breaks before the answer, sending it again may count it twice. `Client.doubtful` is the number of these items.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import urllib3
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, ReadTimeoutError

from timeseries_project.client.target import Target
from timeseries_project.core import clock

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 30.0
FIRST_DELAY, LONGEST_DELAY = 0.1, 5.0
#: The service's answers are smaller; a larger one comes from another server. A part of a listing has 10,000 rows.
MAX_ANSWER, MAX_PART = 1 << 20, 1 << 26
JSON, ARROW = "application/json", "application/vnd.apache.arrow.stream"

#: Temporary statuses after which it is certain that nothing was stored.
_REFUSED_FOR_NOW = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}
_PASSING = _REFUSED_FOR_NOW | {HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT}
_LINKS = re.compile(r'<([^>]*)>\s*;\s*rel="?(\w+)"?')


class Outcome(NamedTuple):
    """The outcome of a batch: how many items were created, skipped and expired."""

    created: int
    skipped: int
    expired: int


class Part(NamedTuple):
    """A part of a listing, its media type without parameters, and the cursor that its `Link` header names."""

    body: bytes
    media_type: str
    next: str | None


class ClientError(Exception):
    """The server cannot be used; the message is one printable line."""

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


class RefusedError(ClientError):
    """The server refused a request; `index` is the item at fault in a batch, if the answer names one."""

    def __init__(self, status: int, reason: str, index: int | None = None) -> None:
        super().__init__(f"{_status(status)}: {reason}")
        self.status = status
        self.index = index


class _AwayError(Exception):
    """The server cannot answer at the moment."""

    def __init__(self, reason: str, *, stored: bool, delay: float = 0.0) -> None:
        super().__init__(reason)
        self.stored = stored  # whether the request may have been carried out
        self.delay = delay


class Client:
    """One kept connection to one server.

    `packed` sends bodies as gzip and asks for such answers: a tenth of the bytes, for several times the work. While the
    server is away a request is repeated for `patience` seconds: `wait` sleeps between attempts, and `on_wait` is called
    with the reason when a request fails for the first time.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str = "",
        packed: bool = False,
        patience: float = 60.0,
        wait: Callable[[float], None] = clock.sleep,
        on_wait: Callable[[str], None] = lambda reason: None,
    ) -> None:
        self.url = _base(url)
        self.retries = 0
        self.doubtful = 0
        self._patience = patience
        self._packed = packed
        self._wait = wait
        self._on_wait = on_wait
        self._headers = {"Accept": JSON, "User-Agent": "timeseries-statistics"}
        if token:
            if not token.isascii() or not token.isprintable() or " " in token:
                raise ClientError("The token must be ASCII without blanks and control characters.")
            self._headers["Authorization"] = f"Bearer {token}"
        self._pool = urllib3.PoolManager(num_pools=1, retries=False)

    def greet(self) -> None:
        """Check that this service answers at the URL. Not repeated, so that a wrong URL is reported at once."""
        try:
            status, _, body = self._once("GET", "/healthz", None)
        except _AwayError as error:
            raise ClientError(f"{self.url} does not answer: {error}.") from None
        if status != HTTPStatus.OK or _parsed(body) != {"status": "ok"}:
            raise ClientError(
                f"{self.url} is not this service: /healthz answers {_status(status)} without the expected body."
            )

    def get(self, path: str) -> Any:
        """Return the JSON of an answer, or None for a 404."""
        status, _, body = self._request("GET", path)
        if status == HTTPStatus.NOT_FOUND:
            return None
        if status != HTTPStatus.OK:
            raise self._refusal(status, body)
        answer = _parsed(body)
        if answer is None:
            raise self._foreign(path)
        return answer

    def part(self, path: str, *, media_type: str = JSON) -> Part:
        """Return a part of a listing. RefusedError if there is no such listing, or not in this form."""
        status, headers, body = self._request("GET", path, accept=media_type, most=MAX_PART)
        if status != HTTPStatus.OK:
            raise self._refusal(status, body)
        given = headers.get("Content-Type", "").partition(";")[0].strip().lower()
        return Part(body, given, _next_cursor(headers.get("Link", "")))

    def post(self, target: Target, items: Sequence[bytes]) -> Outcome:
        """Send a batch of JSON objects, which is stored whole or not. RefusedError names the item at fault."""
        return self.post_body(target, b"[" + b",".join(items) + b"]", len(items))

    def post_body(self, target: Target, body: bytes, count: int, *, media_type: str = JSON) -> Outcome:
        """Send a batch of `count` items, which is stored whole or not. RefusedError names the item at fault."""
        unrepeatable = 0 if target.repeatable else count
        status, _, answer = self._request("POST", target.path, body, unrepeatable, media_type=media_type)
        if status != HTTPStatus.CREATED:
            raise self._refusal(status, answer)
        outcome = _outcome(_parsed(answer))
        if outcome is None or sum(outcome) != count:
            raise self._foreign(target.path)
        return outcome

    def order(self, path: str, *, seconds: float) -> Any:
        """POST without a body, which may be done twice, and return the JSON of the answer, for at most some seconds."""
        status, _, answer = self._request("POST", path, seconds=seconds)
        if status != HTTPStatus.CREATED:
            raise self._refusal(status, answer)
        return _parsed(answer)

    def _request(
        self, method: str, path: str, body: bytes | None = None, unrepeatable: int = 0, **form: Any
    ) -> tuple[int, Any, bytes]:
        """Send a request until it is answered; ClientError once `patience` seconds have passed."""
        begin, delay = clock.elapsed(), FIRST_DELAY
        for attempt in range(1 << 62):
            try:
                status, headers, answer = self._once(method, path, body, **form)
                if status not in _PASSING:
                    return status, headers, answer
                raise _AwayError(
                    _status(status), stored=status not in _REFUSED_FOR_NOW, delay=_seconds(headers.get("Retry-After"))
                )
            except _AwayError as error:
                if error.stored:
                    self.doubtful += unrepeatable
                left = begin + self._patience - clock.elapsed()
                if left <= 0 or error.delay > left:
                    raise ClientError(f"{self.url} did not answer within {self._patience:g} s: {error}.") from None
                if attempt == 0:
                    self._on_wait(one_line(str(error)))
                self._wait(min(max(delay, error.delay), left))
            self.retries += 1
            delay = min(2 * delay, LONGEST_DELAY)
        raise AssertionError("the patience ends before the attempts")

    def _once(
        self,
        method: str,
        path: str,
        body: bytes | None,
        *,
        media_type: str = JSON,
        accept: str = JSON,
        most: int = MAX_ANSWER,
        seconds: float = ANSWER_SECONDS,
    ) -> tuple[int, Any, bytes]:
        headers = {**self._headers, "Accept": accept}
        if body is not None:
            headers["Content-Type"] = media_type
        if self._packed:
            headers["Accept-Encoding"] = "gzip"
            if body is not None:
                body, headers["Content-Encoding"] = gzip.compress(body, compresslevel=1), "gzip"
        try:
            response = self._pool.request(
                method,
                self.url + path,
                body=body,
                headers=headers,
                redirect=False,
                preload_content=False,
                timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=seconds),
            )
            try:
                answer = response.read(most + 1)
            finally:
                if not response.closed:  # the unread rest would be taken for the next answer
                    response.close()
        except (NewConnectionError, ConnectTimeoutError) as error:
            raise _AwayError(_reason(error), stored=False) from None
        except (HTTPError, OSError) as error:
            raise _AwayError(_reason(error), stored=True) from None
        if len(answer) > most:
            raise self._foreign(path)
        return response.status, response.headers, answer

    def _refusal(self, status: int, body: bytes) -> ClientError:
        problem = _parsed(body)
        if not isinstance(problem, dict) or not isinstance(problem.get("detail"), str):
            if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:  # a proxy in front answers it, too
                return RefusedError(status, "the body is too large")
            return ClientError(f"{self.url} answers {_status(status)} without problem details; it is not this service.")
        errors = problem.get("errors")
        first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
        index = first.get("index")
        if type(index) is not int:
            return RefusedError(status, problem["detail"])
        return RefusedError(status, f"{first.get('field', '')} {first.get('message', '')}".strip(), index)

    def _foreign(self, path: str) -> ClientError:
        return ClientError(
            f"{self.url} is not this service: the answer to {path.partition('?')[0]} has an unexpected form."
        )


def one_line(text: str) -> str:
    """Return foreign text as one printable line of bounded length, without line breaks and terminal escapes."""
    printable = "".join(c if c.isprintable() else "�" for c in " ".join(text.split()))
    return printable if len(printable) <= 1_000 else f"{printable[:999]}…"


def _base(url: str) -> str:
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound = False
    if not sound or parts.username or parts.query or parts.fragment or any(c.isspace() for c in url):
        raise ClientError(f"{url!r} is not the URL of a server, such as http://127.0.0.1:8000.")
    return url.rstrip("/")


def _parsed(body: bytes) -> Any:
    """Return the parsed JSON, or None if it is invalid."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _outcome(answer: Any) -> Outcome | None:
    if not isinstance(answer, dict):
        return None
    counts = [answer.get("created", answer.get("accepted")), answer.get("skipped", 0), answer.get("expired", 0)]
    return Outcome(*counts) if all(type(count) is int and count >= 0 for count in counts) else None


def _status(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _next_cursor(link: str) -> str | None:
    """Return the cursor in a `Link` header. Its address may name the server otherwise than we do."""
    for address, relation in _LINKS.findall(link):
        if relation == "next":
            cursors = parse_qs(urlsplit(address).query).get("cursor", [])
            return cursors[0] if cursors else None
    return None


def _seconds(text: str | None) -> float:
    """Return the seconds of a Retry-After; dates are ignored."""
    return float(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else 0.0


def _reason(error: BaseException) -> str:
    """Return the cause of a failed request in words, without names of Python objects."""
    causes = [error, *error.args, error.__cause__, error.__context__]
    if words := next((cause.strerror for cause in causes if isinstance(cause, OSError) and cause.strerror), None):
        return words
    late = isinstance(error, ReadTimeoutError | ConnectTimeoutError)
    return "no answer in time" if late else "the connection was closed before the answer was complete"
