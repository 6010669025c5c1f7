"""The app's configuration."""

from django.apps import AppConfig


class TransactionsConfig(AppConfig):
    """Transactions and the statistics of the last 60 seconds."""

    name = "transactions"
