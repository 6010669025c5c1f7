"""The target of datapoints for the commands `load` and `simulate`."""

from timeseries_project.client.target import Target

TARGET = Target(
    path="/datapoints?on_duplicate=skip",
    fields=("timestamp", "value", "device", "user"),
    keys=("device", "user"),
    repeatable=True,
    dates=("timestamp",),
)
