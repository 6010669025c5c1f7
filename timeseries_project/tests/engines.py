"""Which modules are engines: they know no framework, and their writes are made to fail step by step."""

from __future__ import annotations

SHARED = (
    "timeseries_project/columns.py",
    "timeseries_project/key_order.py",
    "timeseries_project/offload.py",
    "timeseries_project/summation.py",
)
ENGINES = (
    "datapoints/ladder.py",
    "datapoints/protocol.py",
    "datapoints/vacancies.py",
    "datapoints/page_plans.py",
    "datapoints/paged_columns.py",
    "datapoints/sorted_pages.py",
    "datapoints/names.py",
    "datapoints/series.py",
    "datapoints/first_points.py",
    "datapoints/series_view.py",
    "datapoints/key_summaries.py",
    "datapoints/store.py",
    "datapoints/statistics.py",
    "bandwidth/entries.py",
    "bandwidth/busiest.py",
    "bandwidth/device_rows.py",
    "bandwidth/protocol.py",
    "bandwidth/windows.py",
    "transactions/batches.py",
    "transactions/protocol.py",
    "transactions/sliding_window.py",
    *SHARED,
)
