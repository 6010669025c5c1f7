"""The memory budget of unfinished answers, and the refusal beyond it."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from django.http import StreamingHttpResponse
from django.test import Client, RequestFactory

from datapoints import services
from timeseries_project.api import answers
from timeseries_project.api.answers import FREE, SENDING, SMALL, Answers, TooManyAnswersError
from timeseries_project.core.spans import Span
from timeseries_project.middleware import Middleware

LONG = "/statistics/devices/long/avg"


def test_all_answers_have_one_budget() -> None:
    budget = Answers(budget=8 * (SMALL + 1 + SENDING))
    held = [budget.hold(SMALL + 1) for _ in range(7)]
    assert budget.held == 7 * (SMALL + 1 + SENDING)
    with pytest.raises(TooManyAnswersError):
        budget.hold(SMALL + 1)
    held.append(budget.hold(SMALL))  # the last eighth is for small answers
    with pytest.raises(TooManyAnswersError):
        budget.hold(FREE + 1)
    assert budget.hold(FREE) == 0  # these are not counted
    for size in held:
        budget.release(size)
    assert budget.held == 0


def test_one_answer_alone_always_has_room() -> None:
    budget = Answers(budget=1)
    size = budget.hold(10**9)
    with pytest.raises(TooManyAnswersError):
        budget.hold(10**9)
    budget.release(size)
    assert budget.hold(10**9) == size


def test_threads_count_right() -> None:
    budget = Answers(budget=10**12)

    def work() -> None:
        for _ in range(2_000):
            budget.release(budget.hold(SMALL))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert budget.held == 0


@pytest.fixture
def budget(monkeypatch: pytest.MonkeyPatch) -> Iterator[Answers]:
    """A budget of three megabytes, and a device with many buckets."""
    new = Answers(budget=3 * 2**20)
    monkeypatch.setattr(answers, "under_way", new)
    services.datapoint_add(timestamp=0, value=1.0, device="long", user="u", now=10)
    yield new
    services.datapoints_delete(axis="device", key="long")


@pytest.mark.parametrize("path", [LONG, "/api/schema/?format=json", f"{LONG}?format=csv", f"{LONG}?format=arrow"])
def test_a_long_answer_beyond_the_budget_is_refused(client: Client, budget: Answers, path: str) -> None:
    budget.held = 3 * 2**20
    response = client.get(path)
    assert (response.status_code, response["Content-Type"]) == (503, "application/problem+json")
    assert response["Retry-After"] == "1"
    assert response.json()["detail"].startswith("Too many long answers")
    assert "Content-Security-Policy" in response
    assert client.get("/healthz").status_code == 200
    assert client.head(path).status_code == 200
    budget.held = 0
    response = client.get(path)
    assert response.status_code == 200
    response.close()
    assert budget.held == 0


def test_a_long_answer_is_counted_until_it_is_closed(client: Client, budget: Answers) -> None:
    response = client.get(LONG)
    assert response.streaming
    assert budget.held > SENDING
    response.close()
    response.close()
    assert budget.held == 0


def test_an_answer_that_is_refused_is_closed(rf: RequestFactory, budget: Answers) -> None:
    refused = StreamingHttpResponse(iter([b"long"]))
    budget.held = 3 * 2**20
    assert Middleware(lambda request: refused)(rf.get("/")).status_code == 503
    assert refused.closed


def test_a_long_answer_is_counted_with_its_columns(client: Client, budget: Answers) -> None:
    count = 10_000
    services.datapoints_add(
        timestamp=[900_000_000 * i for i in range(1, count)],
        value=[1.0] * (count - 1),
        device=["long"] * (count - 1),
        user=["u"] * (count - 1),
        now=10**16,
    )
    response = client.get(LONG)
    assert budget.held == 12 * count + SENDING  # per bucket: count and value
    response.close()


def test_what_was_asked_to_be_done_is_never_refused(client: Client, budget: Answers) -> None:
    budget.held = 3 * 2**20
    many = [{"timestamp": "never", "device": "long" * 50, "user": "u"}] * 1_000
    refused = client.post("/datapoints", many, content_type="application/json", headers={"Accept": "text/html"})
    assert refused.status_code == 400


def test_a_rows_estimate_is_what_they_hold(budget: Answers) -> None:
    times = [900 * 1_000_000 * i for i in range(10_000)]
    for gap, per_bucket in ((0, 16), (1, 24)):  # per bucket: count and value, and its number if they do not tell it
        device, some = f"gap-{gap}", [time for i, time in enumerate(times[1:]) if not gap or i % 10 != 5]
        count = len(some)
        services.datapoints_add(
            timestamp=some, value=[1.5] * count, device=[device] * count, user=["u"] * count, now=10**16
        )
        for fill in (services.Fill.NULL, services.Fill.NONE):
            asked = {
                "axis": "device",
                "key": device,
                "bucket": Span(15, "m"),
                "start": None,
                "end": None,
                "now": times[-1],
            }
            rows = services.statistics_list(aggregate=services.Aggregate.AVG, fill=fill, **asked)  # type: ignore[arg-type]
            assert rows.nbytes == count * per_bucket
            moving = services.moving_average_list(window_size=100, min_periods=None, fill=fill, **asked)  # type: ignore[arg-type]
            assert rows.nbytes < moving.nbytes <= rows.nbytes + 200 * 32
