"""The base classes of all endpoints, and the views that belong to no app: health, schema, docs and faults."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from threading import Lock
from typing import Any, ClassVar, cast

from django.conf import settings
from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import MethodNotAllowed, NotFound
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request as BaseRequest
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView
from rest_framework.viewsets import ViewSetMixin

from timeseries_project.api import renderers
from timeseries_project.api.fields import WireField
from timeseries_project.api.listings import PortionedRows
from timeseries_project.api.schema import HealthSerializer, answer, problems
from timeseries_project.api.serializers import InputSerializer, NoParameters
from timeseries_project.core.arrays import ColumnarRows
from timeseries_project.core.errors import shown
from timeseries_project.core.offload import leave_loop


class Request(BaseRequest):
    """A request whose body, even an empty one, always goes to a parser: there are no forms or files.

    `method` and `META` are properties because the framework's lookup by `__getattr__` is slow and frequent.
    """

    @property
    def method(self) -> str | None:  # type: ignore[override]  # nothing writes it
        """The method of the Django request."""
        return self._request.method

    @property
    def META(self) -> dict[str, Any]:  # type: ignore[override]  # nothing writes it
        """The environment of the Django request."""
        return self._request.META

    def _load_data_and_files(self) -> None:
        self.release_data()  # so that the page that shows an error does not parse a malformed body again
        parser: Any = cast(BaseContentNegotiation, self.negotiator).select_parser(self, self.parsers or ())
        self._data = self._full_data = parser.parse(self._request, self.content_type, self.parser_context)

    def release_data(self) -> None:
        """Drop the parsed body.

        View, request and response refer to one another, so they live until the garbage collector runs. A few objects
        per request seldom trigger it, and megabytes of a batch must not wait for that.
        """
        self._data = self._full_data = None
        self._files: Any = None


# Created once; negotiation returns a new instance, because the browsable renderer keeps state.
_RENDERERS: list[BaseRenderer] = [renderers.JSONRenderer(), renderers.BrowsableAPIRenderer()]
_RENDERERS_OF_ROWS: list[BaseRenderer] = [_RENDERERS[0], renderers.CSVRenderer(), _RENDERERS[1]]


@cache
def _parsers(classes: tuple[type[BaseParser], ...]) -> list[BaseParser]:
    return [parser() for parser in classes]


@cache
def _methods(actions: tuple[str, ...]) -> list[str]:
    return [method.upper() for method in APIView.http_method_names if method in (*actions, "options")]


class AdmittingView(APIView):
    """A view whose checks of tokens and rate limits cost nothing if the settings have none."""

    def get_authenticators(self) -> list[BaseAuthentication]:
        """Return those of the framework's setting, where there are tokens."""
        return super().get_authenticators() if settings.API_TOKENS else []

    def get_permissions(self) -> Any:
        """Return those of the framework's setting, where there are tokens."""
        return super().get_permissions() if settings.API_TOKENS else []

    def get_throttles(self) -> list[BaseThrottle]:
        """Return those of the framework's setting, where there is a rate limit."""
        return super().get_throttles() if settings.RATE_LIMIT else []

    def admit(self, request: BaseRequest) -> None:
        """Check method, rate limit and token, in this order and before anything else; then negotiate the format.

        Authentication happens only if the permission needs it.
        """
        if request.method not in self.allowed_methods:
            raise MethodNotAllowed(shown(str(request.method)))  # whatever the client accepts
        self.check_throttles(request)
        self.check_permissions(request)
        self.format_kwarg = None
        request.accepted_renderer, request.accepted_media_type = self.perform_content_negotiation(request)


class ApiView(AdmittingView):
    """A view that reads its query string first, and streams long answers of rows."""

    #: The query serializers by action (in viewsets) or method name such as "get".
    query_serializers: ClassVar[Mapping[str, type[InputSerializer]]] = {}
    #: The column names by action, for actions that answer rows and so support CSV.
    row_columns: ClassVar[Mapping[str, tuple[str, ...]]] = {}
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

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        """Wrap Django's request."""
        return Request(
            request,
            parsers=self.get_parsers(),
            authenticators=self.get_authenticators(),
            negotiator=self.get_content_negotiator(),
            parser_context=self.get_parser_context(request),
        )

    def initial(self, request: BaseRequest, *args: Any, **kwargs: Any) -> None:
        """Admit the request, and read the query string into `self.query`."""
        self.admit(request)
        if self.operation not in ("metadata", "options"):
            serializer = self.query_serializers.get(self.operation, NoParameters)
            self.query = serializer.read_request(request)

    def get_renderers(self) -> list[BaseRenderer]:
        """Return the renderers, with CSV if rows are answered."""
        return _RENDERERS_OF_ROWS if self.row_fields() else _RENDERERS

    def get_parsers(self) -> list[BaseParser]:
        """Return the parsers, which are shared because they keep no state."""
        return _parsers(tuple(self.parser_classes))

    def row_fields(self) -> tuple[str, ...]:
        """Return the column names of the rows that this operation answers; none if it answers no rows."""
        return self.row_columns.get(self.operation, ())

    def finalize_response(  # type: ignore[override]  # a long answer becomes a StreamingHttpResponse
        self, request: BaseRequest, answer: Any, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        """Release the body of the request; stream an answer of more than one slice of rows, in constant memory."""
        if isinstance(request, Request):
            request.release_data()
        response: Response = answer
        renderer = response.accepted_renderer = request.accepted_renderer
        response.accepted_media_type = request.accepted_media_type
        response.renderer_context = self.get_renderer_context()  # type: ignore[attr-defined]  # the stubs lack it
        for name, value in self.headers.items():
            response.headers[name] = value
        rows = response.data
        if not (isinstance(rows, ColumnarRows) and len(rows) > renderers.SLICE) and not isinstance(rows, PortionedRows):
            return response
        if not isinstance(renderer, renderers.JSONRenderer | renderers.CSVRenderer):
            return response
        charset = f"; charset={renderer.charset}" if renderer.charset else ""
        stream = StreamingHttpResponse(
            renderer.stream(rows, self.row_fields()),
            status=response.status_code,
            headers={**response.headers, "Content-Type": f"{renderer.media_type}{charset}"},
        )
        stream.nbytes = rows.nbytes  # type: ignore[attr-defined]  # our attribute, for the budget of answers
        return stream


class ApiViewSet(ViewSetMixin, ApiView):  # type: ignore[misc]  # as the framework combines them itself
    """An `ApiView` whose methods are named actions."""

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

    def _get_schema_response(self, request: BaseRequest) -> Response:
        leave_loop()
        with self._generating:
            response: Response = super()._get_schema_response(request)  # type: ignore[no-untyped-call]
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
