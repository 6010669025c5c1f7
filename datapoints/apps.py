"""The app's configuration."""

from django.apps import AppConfig


class DatapointsConfig(AppConfig):
    """Datapoints by device and user, and their statistics in buckets."""

    name = "datapoints"
