"""The bandwidth chart of several devices, or of one in another direction than the usual two."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import urlencode

from bandwidth import services
from bandwidth.directions import Direction, counts_of
from bandwidth.figures import figures_of, limit_of, limit_text
from bandwidth.interface import Window
from bandwidth.units import Per
from timeseries_project.api.prefix import address
from timeseries_project.web.file_names import file_name
from timeseries_project.web.pages import Context, day_element, time_element
from timeseries_project.web.side_by_side import Look, all_named, in_heading, in_words, look, shortened

Query = dict[str, Any]


class Line(NamedTuple):
    """A line of the chart: a device in one direction, or in both added up."""

    device: str
    direction: str
    look: Look
    numbers: list[int]
    figures: Context
    above: int | None  # windows above the threshold


class Device(NamedTuple):
    """A device of the chart, with its lines and the addresses of its data."""

    name: str
    short: str
    lines: list[Line]
    json: str
    csv: str
    file: str


def is_due(query: Query) -> bool:
    """Whether the chart has other lines than the two of one device."""
    return len(query["device_uuid"]) > 1 or query["direction"] is not Direction.BOTH


def drawing(query: Query, end: int, now: int, latest: Callable[[int], str]) -> Context:
    """Return the template's context for the lines of a chart, whose last window ends at `end`.

    `latest` returns the address of a chart whose last window holds a second.
    """
    asked: list[str] = query["device_uuid"]
    chosen = {"window_time": query["window_time"], "num_windows": query["num_windows"]}
    found = services.windows_of_many(device_uuids=asked, end_time=end, **chosen, now=now)
    data = next(iter(found.values()))
    complete = sum(window.timestamp < now for window in data)
    looks = {device: place for place, device in enumerate(asked)}  # an unknown one keeps its colour, so others do too
    devices = [_device(device, windows, looks[device], complete, end, query) for device, windows in found.items()]
    lines = [line for device in devices for line in device.lines]
    limit = limit_of(query)
    summaries = {device: services.device_get(device_id=device, now=now) for device in found}
    return {
        "device": in_words(list(found)),
        "heading": in_heading(list(found)) if len(found) > 1 else None,
        "chart": _chart(query, lines, data, complete, list(found), end),
        "devices": devices,
        "unknown": [device for device in asked if device not in found],
        "silent": [
            {"name": device, "short": shortened(device), "last": day_element(last, now), "url": latest(last)}
            for device, windows in found.items()
            if not any(window.entries for window in windows)
            for last in [summaries[device].last]
        ],
        "limit": None if limit is None else limit_text(query, limit),
        "direction": query["direction"],
        "wide": [
            (time_element(window.timestamp), [line.numbers[place] for line in lines], place >= complete)
            for place, window in enumerate(data)
        ],
        "columns": lines,
        "complete": complete,
        "first": min(summary.first for summary in summaries.values()),
        "last": max(summary.last for summary in summaries.values()),
    }


def _device(name: str, windows: list[Window], number: int, complete: int, end: int, query: Query) -> Device:
    chosen = {name: query[name] for name in ("window_time", "num_windows")}
    parameters = {"device_uuid": name, **chosen, "end_time": end}
    api = address("/api/bandwidth")
    json, csv = (f"{api}?{urlencode({**parameters, 'format': form})}" for form in ("json", "csv"))
    limit = limit_of(query)
    lines = [
        Line(
            name,
            counts.name,
            look(number, counts.dash),
            counts.numbers,
            figures_of(counts.name, windows, counts.numbers, complete, query),
            None if limit is None else sum(bytes_sent > limit for bytes_sent in counts.numbers),
        )
        for counts in counts_of(windows, query["direction"])
    ]
    return Device(name, shortened(name), lines, json, csv, data_file([name], end, query))


def _chart(
    query: Query, lines: list[Line], data: list[Window], complete: int, devices: list[str], end: int
) -> dict[str, Any]:
    """Return the data for the script that draws the chart."""
    limit = limit_of(query)
    return {
        "about": about(devices, query["direction"]),
        "only": len(devices) == 1,
        "window_time": query["window_time"],
        "labels": [window.timestamp for window in data],
        "lines": [
            {"name": line.device, "direction": line.direction, "look": line.look, "bytes": line.numbers}
            for line in lines
        ],
        "complete": complete,
        "unit": query["unit"],
        "per": query["per"],
        "threshold": None if limit is None else float(limit),
        "file": picture_file(devices, end, query),
    }


def about(devices: list[str], direction: Direction) -> str:
    """Describe a chart to those who do not see it."""
    way = {Direction.TO: "to the server", Direction.FROM: "from the server"}.get(direction, "to and from the server")
    return f"Bytes per window {way} of {all_named(devices)}; the table below has the figures."


def data_file(devices: list[str], end: int, query: Query) -> str:
    """Return the name of a file of windows as the API sends them: in bytes."""
    return file_name("bandwidth", devices, end, query["window_time"] * query["num_windows"], "bytes") + ".csv"


def picture_file(devices: list[str], end: int, query: Query) -> str:
    """Return the name of a picture of the chart."""
    units = [query["unit"], "per-second" if query["per"] is Per.SECOND else ""]
    if query["direction"] is not Direction.BOTH:
        units.append(query["direction"])
    return file_name("bandwidth", devices, end, query["window_time"] * query["num_windows"], *units)
