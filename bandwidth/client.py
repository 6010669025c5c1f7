"""Where and how the commands `load` and `simulate` send bandwidth entries."""

from timeseries_project.client.target import Target

TARGET = Target(
    path="/api/bandwidth",
    fields=("device_id", "timestamp", "bytes_ts", "bytes_fs"),
    keys=("device_id",),
    repeatable=False,
    python_variable="BANDWIDTHS",
)
