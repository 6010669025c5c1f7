"""The app's configuration: what it adds to the dashboard and the metrics."""

from django.apps import AppConfig

from timeseries_project.ops import app_state


class TransactionsConfig(AppConfig):
    """Transactions and the statistics of the last 60 seconds."""

    name = "transactions"

    def ready(self) -> None:
        """Register the app's parts."""
        from timeseries_project.snapshots import parts
        from timeseries_project.web import dashboard
        from transactions import charts, metrics, snapshot

        app_state.register(self.name, metrics.state)
        dashboard.register(self.name, charts.section)
        parts.register(snapshot)
