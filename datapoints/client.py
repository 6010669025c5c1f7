"""Datapoints for the commands `load`, `dump` and `simulate`."""

from timeseries_project.client.target import Listing, Target

TARGET = Target(
    path="/datapoints?on_duplicate=skip",
    fields=("timestamp", "value", "device", "user"),
    keys=("device", "user"),
    repeatable=True,
    dates=("timestamp",),
    listing=Listing(
        path="/datapoints",
        filters={"device": "device", "user": "user", "start": "start", "end": "end"},
        counts="/devices",
    ),
)
