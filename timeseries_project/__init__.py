"""The Django project: what its three apps share, and what serves them."""

#: The one version number: of the package, of the OpenAPI schema and of `timeseries_build_info` in /metrics.
__version__ = "1.1.0"
