"""The list of engine modules, which know no framework and whose writes are made to fail step by step."""

from __future__ import annotations

SHARED = (
    "timeseries_project/core/arrays.py",
    "timeseries_project/core/blocks.py",
    "timeseries_project/core/busy.py",
    "timeseries_project/core/key_order.py",
    "timeseries_project/core/offload.py",
    "timeseries_project/core/summation.py",
)
ENGINES = (
    "datapoints/bucket_widths.py",
    "datapoints/interface.py",
    "datapoints/memory/expiry.py",
    "datapoints/memory/free_list.py",
    "datapoints/memory/grouping.py",
    "datapoints/memory/names.py",
    "datapoints/memory/series.py",
    "datapoints/memory/first_points.py",
    "datapoints/memory/newest_point.py",
    "datapoints/memory/series_view.py",
    "datapoints/memory/key_summaries.py",
    "datapoints/memory/large_batch.py",
    "datapoints/memory/large_deletion.py",
    "datapoints/memory/store.py",
    "datapoints/memory/versions.py",
    "datapoints/statistics.py",
    "bandwidth/entries.py",
    "bandwidth/memory/busiest.py",
    "bandwidth/memory/device_names.py",
    "bandwidth/memory/devices.py",
    "bandwidth/memory/large_batch.py",
    "bandwidth/memory/recent.py",
    "bandwidth/memory/sums.py",
    "bandwidth/interface.py",
    "bandwidth/memory/store.py",
    "transactions/memory/batches.py",
    "transactions/interface.py",
    "transactions/memory/sliding_window.py",
    *SHARED,
)
