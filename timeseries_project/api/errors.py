"""Every error as RFC 9457 problem details, whoever raised it and whatever DEBUG is."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation, TooManyFieldsSent
from django.http import Http404
from rest_framework.exceptions import APIException, MethodNotAllowed, NotFound, Throttled, UnsupportedMediaType
from rest_framework.response import Response

from timeseries_project import faults, logs
from timeseries_project.api.headers import MAX_BLOCK
from timeseries_project.api.negotiation import prefers_html
from timeseries_project.api.renderers import BrowsableAPIRenderer, ProblemRenderer
from timeseries_project.storage.errors import StorageFullError, StorageUnavailableError

logger = logging.getLogger(__name__)

STATUS_OF_FAULT: dict[type[faults.FaultError], HTTPStatus] = {
    faults.InvalidInputError: HTTPStatus.BAD_REQUEST,
    faults.FutureTimestampError: HTTPStatus.UNPROCESSABLE_ENTITY,
    faults.AlreadyExistsError: HTTPStatus.CONFLICT,
    faults.UnknownKeyError: HTTPStatus.NOT_FOUND,
    faults.NotReadyError: HTTPStatus.SERVICE_UNAVAILABLE,
    faults.CapacityReachedError: HTTPStatus.INSUFFICIENT_STORAGE,
}

#: When to ask again while the storage is away.
RETRY_AFTER_SECONDS = 1


class HeaderedError(APIException):
    """An error whose answer has headers of its own."""

    headers: Mapping[str, str] = MappingProxyType({})


class NotAllowed(MethodNotAllowed, HeaderedError):
    """A page has no such method, but others."""

    def __init__(self, method: str | None, allowed: str) -> None:
        super().__init__(faults.shown(str(method)))
        self.headers = {"Allow": allowed}


class BodyTooLarge(APIException):
    """The decoded body is larger than the limit, MAX_BODY_BYTES, or than its encoded form lets expect."""

    status_code = HTTPStatus.REQUEST_ENTITY_TOO_LARGE

    def __init__(self, limit: int, reason: str | None = None) -> None:
        super().__init__(reason or f"The body is larger than {limit} bytes; send it in parts.")


class HeadersTooLarge(APIException):
    """The headers are larger than MAX_BLOCK."""

    status_code = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE

    def __init__(self) -> None:
        super().__init__(f"The headers are larger than {MAX_BLOCK} bytes; none of them was read.")


class BodyTooSlow(HeaderedError):
    """The body was not complete within BODY_TIMEOUT_SECONDS; the rest of it would begin the next request."""

    status_code = HTTPStatus.REQUEST_TIMEOUT
    headers = MappingProxyType({"Connection": "close"})

    def __init__(self) -> None:
        super().__init__(f"The body was not complete after {settings.BODY_TIMEOUT_SECONDS} s; nothing was stored.")


class TooManyBodies(HeaderedError):
    """The bodies that are on their way take as much memory as they may."""

    status_code = HTTPStatus.SERVICE_UNAVAILABLE
    headers = MappingProxyType({"Retry-After": "1"})
    default_detail = "Too many large bodies are on their way at once; nothing was stored. Send this one again."


class TooManyAnswers(HeaderedError):
    """The long answers that are under way take as much memory as they may."""

    status_code = HTTPStatus.SERVICE_UNAVAILABLE
    headers = MappingProxyType({"Retry-After": "1"})
    default_detail = "Too many long answers are under way at once. Ask again, or for less."


class UnknownEncoding(UnsupportedMediaType, HeaderedError):
    """The body has a content encoding that is not read here (RFC 9110 section 12.5.3 names those that are)."""

    headers = MappingProxyType({"Accept-Encoding": "gzip"})


def _headers(exc: Exception) -> dict[str, str]:
    """Return the headers that an answer to an exception has beside the problem."""
    headers = dict(exc.headers) if isinstance(exc, HeaderedError) else {}
    if challenge := getattr(exc, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if isinstance(exc, Throttled):
        headers["Retry-After"] = str(exc.wait)  # type: ignore[attr-defined]  # the stubs lack it
    if isinstance(exc, StorageUnavailableError):
        headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return headers


def problem_details(exc: Exception) -> dict[str, Any]:
    """Return the members of RFC 9457 for an exception; an unknown one is logged and answered with 500."""
    errors: list[faults.FieldError] = []
    if isinstance(exc, faults.FaultError):
        status, detail, errors = STATUS_OF_FAULT[type(exc)], exc.detail, exc.errors
    elif isinstance(exc, Http404 | NotFound):
        status, detail = HTTPStatus.NOT_FOUND, "There is nothing at this path."
    elif isinstance(exc, PermissionDenied):
        status, detail = HTTPStatus.FORBIDDEN, "This is not allowed."
    elif isinstance(exc, APIException):
        status, detail = HTTPStatus(exc.status_code), str(exc.detail)
    elif isinstance(exc, StorageUnavailableError):
        # What exactly is wrong is for the operator's log, where the storage writes it once.
        detail = "The storage behind the service cannot be reached or does not answer in time; try again."
        status = HTTPStatus.SERVICE_UNAVAILABLE
    elif isinstance(exc, StorageFullError):
        status, detail = HTTPStatus.INSUFFICIENT_STORAGE, "The storage behind the service is full; nothing was stored."
    elif isinstance(exc, RequestDataTooBig):
        status, detail = HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"{exc}."
    elif isinstance(exc, TooManyFieldsSent):  # its own words are for whoever sets Django up
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


def exception_handler(exc: Exception, context: Mapping[str, Any]) -> Response:
    """Answer any exception of a view with problem details: on the browsable page or as JSON.

    The renderer is chosen here, because an exception may come before, or from, its negotiation.
    """
    request = context["request"]
    problem = problem_details(exc)
    # View, request and response refer to one another and maybe to this, and live until the garbage collector runs. The
    # frames of all callers, down to the connection that is to be closed, must not.
    exc.__traceback__ = None
    renderer = BrowsableAPIRenderer() if prefers_html(request) else ProblemRenderer()
    request.accepted_renderer, request.accepted_media_type = renderer, renderer.media_type
    return Response(problem, status=problem["status"], headers=_headers(exc))
