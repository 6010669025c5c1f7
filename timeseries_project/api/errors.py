"""Errors as RFC 9457 problem details, for every exception and whatever DEBUG is."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation, TooManyFieldsSent
from django.http import Http404
from rest_framework.exceptions import APIException, MethodNotAllowed, NotFound, Throttled, UnsupportedMediaType

from timeseries_project.api.framework import Response
from timeseries_project.api.headers import MAX_BLOCK
from timeseries_project.api.negotiation import prefers_html
from timeseries_project.api.renderers import BrowsableAPIRenderer, JSONRenderer, ProblemRenderer
from timeseries_project.core.errors import (
    AlreadyExistsError,
    CapacityReachedError,
    FaultError,
    FieldError,
    FutureTimestampError,
    InvalidInputError,
    NotReadyError,
    UnknownKeyError,
    shown,
)
from timeseries_project.ops import logs
from timeseries_project.storage.errors import StorageFullError, StorageUnavailableError

logger = logging.getLogger(__name__)

STATUS_OF_FAULT: dict[type[FaultError], HTTPStatus] = {
    InvalidInputError: HTTPStatus.BAD_REQUEST,
    FutureTimestampError: HTTPStatus.UNPROCESSABLE_ENTITY,
    AlreadyExistsError: HTTPStatus.CONFLICT,
    UnknownKeyError: HTTPStatus.NOT_FOUND,
    NotReadyError: HTTPStatus.SERVICE_UNAVAILABLE,
    CapacityReachedError: HTTPStatus.INSUFFICIENT_STORAGE,
}

#: Seconds after which clients may try again while the storage is unavailable.
RETRY_AFTER_SECONDS = 1


class HeaderedError(APIException):
    """An error whose answer has additional headers."""

    headers: Mapping[str, str] = MappingProxyType({})


class NotAllowed(MethodNotAllowed, HeaderedError):
    """The page does not support the method; the `Allow` header names those it supports."""

    def __init__(self, method: str | None, allowed: str) -> None:
        super().__init__(shown(str(method)))
        self.headers = {"Allow": allowed}


class BodyTooLarge(APIException):
    """The decoded body is larger than MAX_BODY_BYTES, or too large for its encoded size."""

    status_code = HTTPStatus.REQUEST_ENTITY_TOO_LARGE

    def __init__(self, limit: int, reason: str | None = None) -> None:
        super().__init__(reason or f"The body is larger than {limit} bytes; send it in parts.")


class HeadersTooLarge(APIException):
    """The headers are larger than MAX_BLOCK."""

    status_code = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE

    def __init__(self) -> None:
        super().__init__(f"The headers are larger than {MAX_BLOCK} bytes; none of them was read.")


class BodyTooSlow(HeaderedError):
    """The body was not complete within BODY_TIMEOUT_SECONDS.

    The connection is closed, because the rest of the body would be read as the next request.
    """

    status_code = HTTPStatus.REQUEST_TIMEOUT
    headers = MappingProxyType({"Connection": "close"})

    def __init__(self) -> None:
        super().__init__(f"The body was not complete after {settings.BODY_TIMEOUT_SECONDS} s; nothing was stored.")


class TooManyBodies(HeaderedError):
    """The memory budget of bodies being received is used up."""

    status_code = HTTPStatus.SERVICE_UNAVAILABLE
    headers = MappingProxyType({"Retry-After": "1"})
    default_detail = "Too many large bodies are being sent at once; nothing was stored. Send this one again."


class TooManyAnswers(HeaderedError):
    """The memory budget of answers being sent is used up."""

    status_code = HTTPStatus.SERVICE_UNAVAILABLE
    headers = MappingProxyType({"Retry-After": "1"})
    default_detail = "Too many long answers are being sent at once. Ask again, or for less."


class UnknownEncoding(UnsupportedMediaType, HeaderedError):
    """The content encoding of the body is not supported; `Accept-Encoding` names those that are (RFC 9110 12.5.3)."""

    headers = MappingProxyType({"Accept-Encoding": "gzip"})


def _headers(exc: Exception) -> dict[str, str]:
    """Return the additional headers of the answer to an exception."""
    headers = dict(exc.headers) if isinstance(exc, HeaderedError) else {}
    if challenge := getattr(exc, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if isinstance(exc, Throttled):
        headers["Retry-After"] = str(exc.wait)  # type: ignore[attr-defined]  # the stubs lack it
    if isinstance(exc, StorageUnavailableError):
        headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return headers


def problem_details(exc: Exception) -> dict[str, Any]:
    """Return the RFC 9457 members for an exception; an unknown exception is logged and answered with 500."""
    errors: list[FieldError] = []
    if isinstance(exc, FaultError):
        status = next(status for kind, status in STATUS_OF_FAULT.items() if isinstance(exc, kind))
        detail, errors = exc.detail, exc.errors
    elif isinstance(exc, Http404 | NotFound):
        status, detail = HTTPStatus.NOT_FOUND, "There is nothing at this path."
    elif isinstance(exc, PermissionDenied):
        status, detail = HTTPStatus.FORBIDDEN, "This is not allowed."
    elif isinstance(exc, APIException):
        status, detail = HTTPStatus(exc.status_code), str(exc.detail)
    elif isinstance(exc, StorageUnavailableError):
        # The exact reason is for the operator: the storage writes it to the log, once.
        detail = "The storage behind the service cannot be reached or does not answer in time; try again."
        status = HTTPStatus.SERVICE_UNAVAILABLE
    elif isinstance(exc, StorageFullError):
        status, detail = HTTPStatus.INSUFFICIENT_STORAGE, "The storage behind the service is full; nothing was stored."
    elif isinstance(exc, RequestDataTooBig):
        status, detail = HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"{exc}."
    elif isinstance(exc, TooManyFieldsSent):  # its own message names a Django setting
        limit = settings.DATA_UPLOAD_MAX_NUMBER_FIELDS
        status, detail = HTTPStatus.BAD_REQUEST, f"The query holds more than {limit} parameters."
    elif isinstance(exc, SuspiciousOperation):
        status, detail = HTTPStatus.BAD_REQUEST, f"{exc}".rstrip(".") + "."
    else:
        logger.error("A request failed", exc_info=exc)
        status = HTTPStatus.INTERNAL_SERVER_ERROR
        detail = f"The server failed; its log has the reason under the request id {logs.request_id.get()}."
    problem: dict[str, Any] = {
        "type": "about:blank",
        "title": status.phrase,
        "status": int(status),
        "detail": detail,
    }
    if errors:
        problem["errors"] = [
            {name: value for name, value in asdict(error).items() if value is not None} for error in errors
        ]
    return problem


#: Makes the body of an error, and more headers, from problem details.
Shape = Callable[[Mapping[str, Any]], tuple[dict[str, Any], dict[str, str]]]
_shapes: dict[str, Shape] = {}


def register_shape(path: str, shape: Shape) -> None:
    """Let errors of a path have another shape than problem details: that which its clients read."""
    _shapes[path] = shape


def exception_handler(exc: Exception, context: Mapping[str, Any]) -> Response:
    """Answer any exception of a view with problem details, on the browsable page or as JSON.

    The renderer is chosen here, because the exception may come before negotiation, or from it.
    """
    request = context["request"]
    problem = problem_details(exc)
    # View, request and response refer to one another and maybe to the exception, and live until the garbage collector
    # runs. The frames of all callers, down to the connection that is to be closed, must not live as long.
    exc.__traceback__ = None
    renderer: Any = BrowsableAPIRenderer() if prefers_html(request) else ProblemRenderer()
    status, headers = problem["status"], _headers(exc)
    shape = _shapes.get(request.path_info.rstrip("/"))
    if shape and isinstance(renderer, ProblemRenderer):
        renderer = JSONRenderer()
        problem, more = shape(problem)
        headers |= more
    request.accepted_renderer, request.accepted_media_type = renderer, renderer.media_type
    return Response(problem, status=status, headers=headers)
