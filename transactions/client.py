"""Where and how the commands `load` and `simulate` send transactions."""

from timeseries_project.client.target import Target

TARGET = Target(path="/api/transactions", fields=("amount", "timestamp"), keys=(), repeatable=False, unit="ms")
