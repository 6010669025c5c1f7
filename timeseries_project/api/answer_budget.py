"""Long answers beyond the budget of those that are under way are refused."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from django.http import FileResponse, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from timeseries_project import answers
from timeseries_project.api.errors import TooManyAnswers
from timeseries_project.api.views import FaultView

#: Only what these ask for is refused: what others asked for is done by now.
SAFE_METHODS = frozenset({"GET", "OPTIONS"})


class AnswerBudgetMiddleware:
    """Counts what a long answer holds until it is closed, and answers 503 where others leave no room for it."""

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
        # What a response closes with itself; Django has no public name for it, and stubs none at all.
        response._resource_closers.append(partial(answers.under_way.release, held))  # type: ignore[attr-defined]
        return response


def _size(response: HttpResponseBase) -> int:
    """Return what an answer holds; a streamed one says it (`nbytes`), and a file holds nothing."""
    if isinstance(response, HttpResponse):
        return len(response.content)
    if isinstance(response, FileResponse) or not isinstance(response, StreamingHttpResponse):
        return 0
    size: int = getattr(response, "nbytes", 0)
    return max(size, answers.FREE + 1)
