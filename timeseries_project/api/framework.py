"""Where private parts of Django and Django REST Framework are replaced, and why: each costs more than the work itself.

A small request spends most of its time between the server and the view. What is here does the same as the
framework's own code, for the cases that occur in this project, in a third of the time. `tests/test_framework.py` holds
a digest of every replaced function, so a new version of a framework that changes one of them fails there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http.cookies import SimpleCookie
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote_to_bytes

from django.core.handlers.base import BaseHandler
from django.core.handlers.wsgi import LimitedStream, WSGIRequest
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase, ResponseHeaders
from django.urls import ResolverMatch, get_resolver
from django.utils.functional import cached_property
from rest_framework.request import Empty
from rest_framework.request import Request as BaseRequest

from timeseries_project.api.headers import header_parameters
from timeseries_project.api.prefix import path_of

if TYPE_CHECKING:
    from rest_framework.authentication import BaseAuthentication
    from rest_framework.negotiation import BaseContentNegotiation
    from rest_framework.parsers import BaseParser

#: Headers as Django stores them: by name in lower case, each with its name as written.
Stored = dict[str, tuple[str, str]]

#: Statuses of answers that have no content, and so no length.
BARE = frozenset({204, 304})


class Utf8Request(WSGIRequest):
    """A request whose path and query are read as UTF-8, whatever the charset of its body.

    Django decodes the query in the charset of the body; a charset that is a codec but not a text encoding, such as
    hex, would then fail before any view. Django also escapes again the bytes of a path that are not UTF-8, so that
    /devices/%FF/datapoints would name the device "%FF", and replaces such bytes in a query. `is_utf8` is worked out
    before these bytes are lost, and the middleware refuses the request where it is false.

    A request target in absolute form (RFC 9112 section 3.2.2) is reduced to its path. Nearly all paths are plain ASCII
    and need no decoding: for these the attributes are set here instead of in WSGIRequest.
    """

    #: Time of arrival (`clock.elapsed`), if the request may have waited since.
    arrived: float | None = None

    def __init__(self, environ: dict[str, Any]) -> None:
        environ["PATH_INFO"] = path = path_of(environ)
        query: str = environ.get("QUERY_STRING", "")
        self.is_utf8 = (path.isascii() and query.isascii() and "%" not in query) or _is_utf8(path, query)
        script: str = environ.setdefault("SCRIPT_NAME", "")
        if not path or not (path + script).isascii():
            super().__init__(environ)
            # Django has decoded them there, but a request that takes long is made again from the same environment.
            environ["PATH_INFO"], environ["SCRIPT_NAME"] = path, script
            return
        self.environ = self.META = environ
        self.path_info = path
        self.path = f"{script.rstrip('/')}/{path.replace('/', '', 1)}"
        self.method = environ["REQUEST_METHOD"].upper()
        length: str = environ.get("CONTENT_LENGTH") or "0"
        known = length.isascii() and length.isdigit() and len(length) <= 20
        self._stream: Any = LimitedStream(environ["wsgi.input"], int(length) if known else 0)
        self._read_started = False
        self.resolver_match: ResolverMatch | None = None

    def _set_content_type_params(self, meta: dict[str, Any]) -> None:
        """Do nothing: the content type is parsed on demand, because most requests are answered without it."""

    @cached_property
    def content_type(self) -> str:  # type: ignore[override]  # Django sets it at once
        """The media type of the body, in lower case."""
        return header_parameters(self.META.get("CONTENT_TYPE", ""))[0]

    @cached_property
    def content_params(self) -> dict[str, str]:  # type: ignore[override]  # the same
        """The parameters of the media type."""
        return dict(header_parameters(self.META.get("CONTENT_TYPE", ""))[1])


def _is_utf8(path: str, query: str) -> bool:
    try:
        path.encode("latin-1").decode()
        unquote_to_bytes(query).decode()
    except UnicodeError:
        return False
    return True


class LeanHandler(BaseHandler):
    """Django's handler, without the steps that do nothing in this project.

    There is no view middleware, no database whose transactions would wrap a view, and no asynchronous view; requests
    have no files to close, but on the sign-in page; and refusals are logged by the middleware.
    """

    def load_middleware(self, is_async: bool = False) -> None:
        """Build the chain, and forget the routes that were found."""
        super().load_middleware(is_async)
        self._matches: dict[str, ResolverMatch] = {}

    def get_response(self, request: HttpRequest) -> HttpResponseBase:
        """Answer a request."""
        response: HttpResponseBase = self._middleware_chain(request)  # type: ignore[attr-defined]  # the stubs lack it
        if hasattr(request, "_files"):
            request.close()
        return response

    def repeat(self, request: HttpRequest) -> HttpResponseBase:
        """Answer a request that has passed the middleware once more, without it: nothing is logged or counted."""
        return self._get_response(request)

    def _get_response(self, request: HttpRequest) -> HttpResponseBase:
        """Call the view of a request; exceptions go to the middleware's `process_exception`."""
        try:
            match = self._matches.get(request.path_info) or self._resolve(request.path_info)
            request.resolver_match = match
            response: Any = match.func(request, *match.args, **match.kwargs)
            # A response of the framework's own views is rendered here.
            return cast(HttpResponseBase, response.render() if hasattr(response, "render") else response)
        except Exception as exception:
            answer = self.process_exception_by_middleware(exception, request)
            if answer is None:
                raise
            return cast(HttpResponseBase, answer)

    def _resolve(self, path: str) -> ResolverMatch:
        """Find the route of a path; remembered if only its own spelling, or a slash after it, leads there."""
        match = get_resolver().resolve(path)
        if match.route and not match.kwargs:
            self._matches[path] = match
        return match


class Request(BaseRequest):
    """A request whose body, even an empty one, always goes to a parser: there are no forms or files.

    `method`, `META` and `data` are properties because the framework's look-up by `__getattr__` is slow and frequent.
    The context of the parsers is empty: with the view in it, view and request would refer to one another, and the
    megabytes of a batch would wait for the garbage collector.
    """

    def __init__(
        self,
        request: HttpRequest,
        *,
        parsers: list[BaseParser],
        authenticators: list[BaseAuthentication],
        negotiator: BaseContentNegotiation,
    ) -> None:
        self._request = request
        self.parsers: list[BaseParser] = parsers
        self.authenticators = authenticators
        self.negotiator: BaseContentNegotiation = negotiator
        self.parser_context: dict[str, Any] = {}
        self._data = self._full_data = self._files = self._content_type = self._stream = cast(Any, Empty)

    @property
    def method(self) -> str | None:  # type: ignore[override]  # nothing writes it
        """The method of the Django request."""
        return self._request.method

    @property
    def META(self) -> dict[str, Any]:  # type: ignore[override]  # nothing writes it
        """The environment of the Django request."""
        return self._request.META

    @property
    def data(self) -> Any:
        """The parsed body. Raises what the parsers raise, the first time; None afterwards."""
        if self._full_data is Empty:
            self._load_data_and_files()
        return self._full_data

    def _load_data_and_files(self) -> None:
        self._data = self._full_data = None  # so that the page that shows an error does not parse the body again
        parser: Any = self.negotiator.select_parser(self, self.parsers)
        self._data = self._full_data = parser.parse(self._request, self.content_type, self.parser_context)


class Response(HttpResponse):
    """An answer: data until a renderer writes them with `fill`.

    The framework's class of this name is a template's response, whose machinery takes longer than most answers.
    """

    def __init__(
        self, data: object = None, status: int | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        # What HttpResponse and its base set; without a media type, which the renderer has.
        self.data = data
        self.headers = ResponseHeaders(dict(headers or ()))
        self.status_code = int(status or 200)
        self.cookies = SimpleCookie()
        self.closed = False
        self._container = [b""]
        self._resource_closers: list[Any] = []
        self._charset = self._reason_phrase = self._handler_class = None

    @property
    def status_text(self) -> str:
        """The reason phrase of the status."""
        return self.reason_phrase

    def fill(self, content: bytes, media_type: str) -> None:
        """Set the content, and its type and length."""
        self._container = [content]
        if content:
            set_header(self, "Content-Type", media_type)
        if self.status_code not in BARE:
            set_header(self, "Content-Length", str(len(content)))


def add_headers(response: HttpResponseBase, headers: Stored) -> None:
    """Add headers to an answer; those that it has stay. The headers must be valid: `stored` has checked them."""
    store = response.headers._store
    response.headers._store = {**headers, **store}


def set_header(response: HttpResponseBase, name: str, value: str) -> None:
    """Set a header whose name and value are known to be valid, which Django would check."""
    response.headers._store[name.lower()] = (name, value)


def closers(response: HttpResponseBase) -> list[Callable[[], object]]:
    """Return the functions that are called when the answer is closed, to which more can be added.

    Django's name for the list is private, and most answers have none, so a server need not close them in a thread.
    """
    return cast(list[Callable[[], object]], response._resource_closers)  # type: ignore[attr-defined]  # not in the stubs


def stored(headers: Mapping[str, str]) -> Stored:
    """Return headers in the form in which `add_headers` takes them. Raises what Django raises for invalid ones.

    Only for headers that do not depend on a request: how they are sent is remembered.

    >>> stored({"X-Frame-Options": "DENY"})
    {'x-frame-options': ('X-Frame-Options', 'DENY')}
    """
    store: Stored = dict(ResponseHeaders(dict(headers))._store)
    _sent.update((header, _encoded(header)) for header in store.values())
    return store


def sent_headers(response: HttpResponseBase) -> list[tuple[bytes, bytes]]:
    """Return the headers of an answer as they are sent: names in lower case, without cookies."""
    return [_sent.get(header) or _encoded(header) for header in response.headers._store.values()]


#: Headers of many answers as they are sent; bounded by what the code names.
_sent: dict[tuple[str, str], tuple[bytes, bytes]] = {}


def _encoded(header: tuple[str, str]) -> tuple[bytes, bytes]:
    name, value = header
    return name.lower().encode("latin-1"), value.encode("latin-1")


stored({"Content-Type": "application/json"})
