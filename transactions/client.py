"""What the commands `load` and `simulate` have to know of transactions."""

from timeseries_project.client.target import Target

TARGET = Target(path="/api/transactions", fields=("amount", "timestamp"), keys=(), repeatable=False)
