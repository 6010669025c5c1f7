"""Bandwidth entries for the commands `load`, `dump` and `simulate`."""

from timeseries_project.client.target import Listing, Target

TARGET = Target(
    path="/api/bandwidth",
    fields=("device_id", "timestamp", "bytes_ts", "bytes_fs"),
    keys=("device_id",),
    repeatable=False,
    python_variable="BANDWIDTHS",
    listing=Listing(
        path="/api/bandwidth/entries",
        filters={"device": "device_uuid", "start": "start", "end": "end"},
        counts="/api/bandwidth/devices",
        integers=("timestamp", "bytes_ts", "bytes_fs"),
        sums=("bytes_ts", "bytes_fs"),
    ),
)
