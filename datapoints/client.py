"""What the commands `load` and `simulate` have to know of datapoints."""

from timeseries_project.client.target import Target

TARGET = Target(
    path="/datapoints?on_duplicate=skip",
    fields=("timestamp", "value", "device", "user"),
    keys=("device", "user"),
    repeatable=True,
)
