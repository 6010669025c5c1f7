"""Checks of a request before anything else: its transfer, its Host, its encoding."""

from __future__ import annotations

from django.http import HttpRequest
from rest_framework.exceptions import NotFound

from timeseries_project.api import hosts
from timeseries_project.api.headers import FAULT
from timeseries_project.core.errors import InvalidInputError


def fault_of(request: HttpRequest) -> Exception | None:
    """Return why a request cannot be answered, whatever it asks for; None if there is no reason."""
    meta = request.META
    if FAULT in meta:
        fault: Exception = meta[FAULT]
        return fault
    if unserved := hosts.fault(request):
        return unserved
    if not getattr(request, "is_utf8", True):
        return InvalidInputError("The path or the query is not UTF-8.")
    # Django would answer a path without its slash before trying any route.
    return None if request.path_info.startswith("/") else NotFound()
