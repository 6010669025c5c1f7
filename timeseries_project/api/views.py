"""The base classes of all endpoints, and the views that belong to no app: health, schema, docs and faults."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, update_wrapper
from threading import Lock
from typing import Any, ClassVar, cast

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.decorators import classonlymethod
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import MethodNotAllowed, NotFound
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request as BaseRequest
from rest_framework.response import Response as TemplateResponse
from rest_framework.views import APIView
from rest_framework.viewsets import ViewSetMixin

from timeseries_project.api import renderers
from timeseries_project.api.arrow.writing import ArrowRenderer
from timeseries_project.api.conditional import NotModifiedError, is_any, names, tag_of_content, tag_of_version
from timeseries_project.api.configuration import configuration
from timeseries_project.api.fields import WireField
from timeseries_project.api.framework import BARE, Request, Response, Stored, add_headers, set_header, stored
from timeseries_project.api.listings import PortionedRows
from timeseries_project.api.schema import HealthSerializer, answer, problems
from timeseries_project.api.serializers import InputSerializer, NoParameters
from timeseries_project.core.arrays import ColumnarRows, Fields
from timeseries_project.core.errors import shown
from timeseries_project.core.offload import leave_loop

# Created once; negotiation returns a new browsable renderer, because that keeps state.
_RENDERERS: list[BaseRenderer] = [renderers.JSONRenderer(), renderers.BrowsableAPIRenderer()]
_RENDERERS_OF_ROWS: list[BaseRenderer] = [_RENDERERS[0], renderers.CSVRenderer(), ArrowRenderer(), _RENDERERS[1]]


@cache
def _parsers(classes: tuple[type[BaseParser], ...]) -> list[BaseParser]:
    return [parser() for parser in classes]


@cache
def _negotiator(negotiation: type[BaseContentNegotiation]) -> BaseContentNegotiation:
    return negotiation()


@cache
def _methods(actions: tuple[str, ...]) -> list[str]:
    return [method.upper() for method in APIView.http_method_names if method in (*actions, "options")]


class AdmittingView(APIView):
    """A view whose checks of tokens and rate limits cost nothing if the settings have none."""

    def get_authenticators(self) -> list[BaseAuthentication]:
        """Return those of the framework's setting, where there are tokens."""
        return super().get_authenticators() if configuration().tokens else []

    def admit(self, request: BaseRequest) -> None:
        """Check method, rate limit and token, in this order and before anything else; then negotiate the format.

        Authentication happens only if the permission needs it.
        """
        if request.method not in self.allowed_methods:
            raise MethodNotAllowed(shown(str(request.method)))  # whatever the client accepts
        settings = configuration()
        if settings.rate_limit:
            self.check_throttles(request)
        if settings.tokens:
            self.check_permissions(request)
        self.format_kwarg = None
        negotiator = self.get_content_negotiator()
        request.accepted_renderer, request.accepted_media_type = negotiator.select_renderer(
            request, self.get_renderers()
        )

    def finalize_response(  # type: ignore[override]  # a long answer becomes a StreamingHttpResponse
        self, request: BaseRequest, response: Any, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        """Add the headers of the path, and write the answer. The answers of the framework's own views are its task."""
        if not isinstance(response, Response):
            return super().finalize_response(request, response, *args, **kwargs)
        add_headers(response, self.default_headers())
        return self._write(request, response)

    def default_headers(self) -> Stored:
        """Return the headers of each answer: what the path allows, and what the answer varies by."""
        return stored(self.default_response_headers)

    def _write(self, request: BaseRequest, response: Response) -> HttpResponseBase:
        renderer = request.accepted_renderer
        if response.status_code in BARE:
            content = b""  # whatever the form
        elif isinstance(renderer, renderers.JSONRenderer):
            content = renderer.render(response.data)
        else:
            context = {**self.get_renderer_context(), "response": response}
            written = renderer.render(response.data, request.accepted_media_type, context)
            content = written.encode() if isinstance(written, str) else written
        response.fill(content, _content_type(renderer))
        return response


def _content_type(renderer: BaseRenderer) -> str:
    return f"{renderer.media_type}; charset={renderer.charset}" if renderer.charset else str(renderer.media_type)


class ApiView(AdmittingView):
    """A view that reads its query string first, and streams long answers of rows."""

    #: The query serializers by action (in viewsets) or method name such as "get".
    query_serializers: ClassVar[Mapping[str, type[InputSerializer]]] = {}
    #: The columns by action, for actions that answer rows and so support CSV and Arrow.
    row_columns: ClassVar[Mapping[str, Fields]] = {}
    #: The member of an answer that holds its rows, if the answer is not the list itself.
    rows_member: ClassVar[str | None] = None
    #: The serializer of the items of a body, if the view takes one.
    item_serializer: ClassVar[type[InputSerializer] | None] = None
    query: dict[str, Any]

    @property
    def operation(self) -> str:
        """The action of a viewset, or the method in lower case. While the schema is generated there is no request."""
        action: str | None = getattr(self, "action", None)
        return action or ((self.request and self.request.method) or "GET").lower()

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Answer a request: admit it, call the method's handler, and render what that returns.

        As the framework's, but nothing here refers back to the view, so that view, request and answer are freed at once
        and not by the garbage collector.
        """
        self.args, self.kwargs = args, kwargs
        wrapped = self.request = self.initialize_request(request)
        try:
            self.initial(wrapped, *args, **kwargs)
            response = self.handler(wrapped)(wrapped, *args, **kwargs)
        except Exception as fault:
            response = cast(Response, self.handle_exception(fault))  # as `errors.exception_handler` makes it
        return self.finalize_response(wrapped, response)

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Keep the request, and no more: the framework would bind `get` to `head` here."""
        self.request = request  # type: ignore[assignment]  # `dispatch` wraps it

    def handler(self, request: BaseRequest) -> Callable[..., Response]:
        """Return the method that answers; `initial` has refused methods without one."""
        method = str(request.method).lower()
        found: Callable[..., Response] = getattr(self, "get" if method == "head" else method)
        return found

    def _allowed_methods(self) -> list[str]:
        names = [method for method in self.http_method_names if hasattr(self, method)]
        return _methods((*names, "head") if "get" in names else tuple(names))

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        """Wrap Django's request."""
        return Request(
            request,
            parsers=self.get_parsers(),
            authenticators=self.get_authenticators(),
            negotiator=self.get_content_negotiator(),
        )

    def get_content_negotiator(self) -> BaseContentNegotiation:
        """Return the negotiator, which is shared because it keeps no state."""
        return _negotiator(self.content_negotiation_class)  # type: ignore[arg-type]  # a class is hashable

    def initial(self, request: BaseRequest, *args: Any, **kwargs: Any) -> None:
        """Admit the request, and read the query string into `self.query`."""
        self.admit(request)
        if self.operation not in ("metadata", "options"):
            serializer = self.query_serializers.get(self.operation, NoParameters)
            self.query = serializer.read_request(request)

    def get_renderers(self) -> list[BaseRenderer]:
        """Return the renderers, with CSV and Arrow if rows are answered."""
        return _RENDERERS_OF_ROWS if self.row_fields() else _RENDERERS

    def get_parsers(self) -> list[BaseParser]:
        """Return the parsers, which are shared because they keep no state."""
        return _parsers(tuple(self.parser_classes))

    def row_fields(self) -> Fields:
        """Return the columns of the rows that this operation answers; none if it answers no rows."""
        return self.row_columns.get(self.operation, {})

    def options(self, request: BaseRequest, *args: Any, **kwargs: Any) -> Response:  # type: ignore[override]
        """Describe the endpoint."""
        metadata: Any = self.metadata_class
        return Response(metadata().determine_metadata(request, self))

    def _write(self, request: BaseRequest, response: Response) -> HttpResponseBase:
        """Write the answer; stream one of more than one slice of rows, in constant memory."""
        renderer, data = request.accepted_renderer, response.data
        long = isinstance(data, PortionedRows) or (isinstance(data, ColumnarRows) and len(data) > renderers.SLICE)
        if long and isinstance(renderer, renderers.JSONRenderer | renderers.CSVRenderer | ArrowRenderer):
            return self._streamed(response, renderer, data)
        return super()._write(request, response)

    def _streamed(self, response: Response, renderer: Any, rows: Any) -> StreamingHttpResponse:
        stream = StreamingHttpResponse(
            renderer.stream(rows, self.row_fields()),
            status=response.status_code,
            headers={**response.headers, "Content-Type": _content_type(renderer)},
        )
        stream.nbytes = rows.nbytes  # type: ignore[attr-defined]  # our attribute, for the budget of answers
        return stream


class ApiViewSet(ViewSetMixin, ApiView):
    """An `ApiView` whose methods are named actions."""

    #: The method of the class for each HTTP method of the route.
    action_map: dict[str, str]
    _headers: Stored
    _tag: str | None = None

    @classonlymethod
    def as_view(cls, actions: Mapping[str, str], **initkwargs: Any) -> Any:  # type: ignore[override]
        """Return the function that answers a route.

        The framework's binds every action to the view with each request, which then refers to itself.
        """
        answers = {**actions, "head": actions["get"]} if "get" in actions else dict(actions)
        headers: list[Stored] = []  # found with the first request

        def view(request: HttpRequest, **path: Any) -> HttpResponseBase:
            self = cls(**initkwargs)
            self.action_map = answers
            self.action = "metadata" if request.method == "OPTIONS" else answers.get(str(request.method).lower(), "")
            if not headers:
                headers.append(stored(self.default_response_headers))
            self._headers = headers[0]
            return self.dispatch(request, **path)

        return update_wrapper(view, super().as_view(cast(Any, answers), **initkwargs))

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        """Wrap Django's request; `as_view` has set the action."""
        return ApiView.initialize_request(self, request)

    def handler(self, request: BaseRequest) -> Callable[..., Response]:
        """Return the method of the action."""
        found: Callable[..., Response] = getattr(self, "options" if self.action == "metadata" else str(self.action))
        return found

    def default_headers(self) -> Stored:
        """Return the headers of each answer, which are the same for all of a route."""
        return self._headers

    def tag(self, version: tuple[str | int, ...] | None) -> None:
        """Take what an answer depends on beside the request, None if that is not known; called before it is worked out.

        Raises NotModifiedError if the client has the answer.
        """
        request, meta = self.request, self.request.META
        if version is None or isinstance(request.accepted_renderer, renderers.BrowsableAPIRenderer):
            return
        asked = meta["PATH_INFO"], meta.get("QUERY_STRING", ""), request.accepted_media_type
        self._tag = tag_of_version(*version, *asked)
        if names(meta.get("HTTP_IF_NONE_MATCH", ""), self._tag):
            raise NotModifiedError(self._tag)

    def handle_exception(self, exc: Exception) -> Response:  # type: ignore[override]  # as `errors` makes it
        """Answer an exception; 304 if the client has the answer."""
        if isinstance(exc, NotModifiedError):
            return Response(status=304, headers={"ETag": exc.tag})
        return cast(Response, super().handle_exception(exc))

    def _write(self, request: BaseRequest, response: Response) -> HttpResponseBase:
        """Write the answer, with its tag if it is one to GET or HEAD; 304 instead if the client has it."""
        written = super()._write(request, response)
        if response.status_code != 200 or request.method not in ("GET", "HEAD"):
            return written
        if isinstance(request.accepted_renderer, renderers.BrowsableAPIRenderer):
            return written
        tag = self._tag
        if tag is None and isinstance(written, HttpResponse):
            tag = tag_of_content(written.content, written.headers.get("Link", ""))
        if tag is not None:
            set_header(written, "ETag", tag)
        known = request.META.get("HTTP_IF_NONE_MATCH")
        if known is None or not (is_any(known) or (tag is not None and names(known, tag))):
            return written
        written.close()
        written = Response(status=304, headers={"ETag": tag} if tag else None)
        add_headers(written, self._headers)
        return written

    def _allowed_methods(self) -> list[str]:
        # Cached: the framework looks up every method's handler with each request.
        return _methods(tuple(self.action_map or ()))


class _AnyRenderer(BaseContentNegotiation):
    """Negotiation for faults, which are answered whatever the client accepts."""

    def select_renderer(
        self, request: BaseRequest, renderers: Any, format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        return renderers[0], renderers[0].media_type


class FaultView(ApiView):
    """Answers a fault found outside of any endpoint as an endpoint would."""

    name = "Error"
    description = ""  # the problem details describe it
    content_negotiation_class = _AnyRenderer
    schema = None
    #: Without the framework's `Allow`: a path with no endpoint allows no method.
    default_response_headers = {"Vary": "Accept"}  # noqa: RUF012 - read only

    def initial(self, request: BaseRequest, *args: Any, **kwargs: Any) -> None:
        """Raise the fault, by default NotFound; requests of unknown paths count towards the rate limit too."""
        if "fault" in kwargs:
            raise kwargs["fault"]
        self.check_throttles(request)
        raise NotFound


class OpenView(ApiView):
    """A view for monitoring: it needs no token, and RATE_LIMIT does not apply."""

    permission_classes = ()
    throttle_classes = ()


class HealthView(OpenView):
    """Whether the process is alive; uses no store."""

    name = "Health"

    @extend_schema(
        operation_id="healthz",
        summary="Check that the process is alive",
        responses={**answer(HealthSerializer, {"status": "ok"}), **problems(400, 406)},
        tags=["operations"],
    )
    def get(self, request: BaseRequest) -> Response:
        """Answer `{"status": "ok"}` while the process is alive."""
        return Response({"status": "ok"})


class SchemaView(AdmittingView, SpectacularAPIView):
    """The OpenAPI 3 schema of this API, as YAML or JSON."""

    name = "OpenAPI schema"
    #: drf-spectacular loads its extensions on first use, which is not thread-safe.
    _generating = Lock()

    def initial(self, request: BaseRequest, *args: Any, **kwargs: Any) -> None:
        """Admit the request, and refuse unknown parameters, as everywhere."""
        self.admit(request)
        request.version = request.versioning_scheme = None  # drf-spectacular reads them
        NoParameters.read_query(request.query_params)

    def _get_schema_response(self, request: BaseRequest) -> TemplateResponse:
        leave_loop()
        with self._generating:
            response: TemplateResponse = super()._get_schema_response(request)  # type: ignore[no-untyped-call]
        if prefix := request.META["SCRIPT_NAME"]:
            response.data = {**response.data, "servers": [{"url": prefix}]}
        return response

    renderer_classes = [*SpectacularAPIView.renderer_classes, renderers.BrowsableAPIRenderer]  # noqa: RUF012


class DocsQuery(InputSerializer):
    """The query by which Swagger UI requests its own script."""

    script = WireField(required=False)


class DocsView(AdmittingView, SpectacularSwaggerSplitView):
    """Swagger UI, with its script separate from the page as the content security policy requires."""

    url_name = "schema"

    def initial(self, request: BaseRequest, *args: Any, **kwargs: Any) -> None:
        """Admit the request, and refuse unknown parameters, as everywhere."""
        self.admit(request)
        DocsQuery.read_query(request.query_params)
