"""Middleware that refuses a long answer if the answers being sent leave no memory for it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from django.http import FileResponse, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from timeseries_project.api import answers
from timeseries_project.api.errors import TooManyAnswers
from timeseries_project.api.views import FaultView

#: Only answers to these methods are refused: requests with other methods have taken effect already.
SAFE_METHODS = frozenset({"GET", "OPTIONS"})


class AnswerBudgetMiddleware:
    """Counts the memory of a long answer until it is closed; answers 503 if other answers leave no room for it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self._fault_view = FaultView.as_view()

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer, or refuse."""
        response = self.get_response(request)
        size = _size(response)
        if size <= answers.FREE or request.method not in SAFE_METHODS:
            return response
        try:
            held = answers.under_way.hold(size)
        except answers.TooManyAnswersError:
            response.close()
            refusal = self._fault_view(request, fault=TooManyAnswers())
            return refusal.render() if hasattr(refusal, "render") else refusal
        # Called when the response is closed; Django has no public name for it, and the stubs lack it.
        response._resource_closers.append(partial(answers.under_way.release, held))  # type: ignore[attr-defined]
        return response


def _size(response: HttpResponseBase) -> int:
    """Return the bytes that an answer holds in memory: `nbytes` of a streamed one, none of a file."""
    if isinstance(response, HttpResponse):
        return len(response.content)
    if isinstance(response, FileResponse) or not isinstance(response, StreamingHttpResponse):
        return 0
    size: int = getattr(response, "nbytes", 0)
    return max(size, answers.FREE + 1)
