"""The app's configuration: what it adds to the dashboard and the metrics."""

from django.apps import AppConfig

from timeseries_project.ops import app_state


class DatapointsConfig(AppConfig):
    """Datapoints by device and user, and their statistics in buckets."""

    name = "datapoints"

    def ready(self) -> None:
        """Register what the app adds."""
        from datapoints import charts, metrics, snapshot
        from datapoints.influx.errors import shape_of_1, shape_of_2
        from timeseries_project.api import access, errors
        from timeseries_project.snapshots import parts
        from timeseries_project.web import dashboard

        app_state.register(self.name, metrics.state)
        dashboard.register(self.name, charts.section)
        parts.register(snapshot)
        shapes = {"/write": shape_of_1, "/query": shape_of_1, "/api/v2/write": shape_of_2}
        for path, shape in shapes.items():
            errors.register_shape(path, shape)
            access.accept_passwords(path)
