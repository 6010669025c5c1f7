"""The Django project: the code that its three apps share, and the servers that run them."""

#: The version of the package, of the OpenAPI schema and in `timeseries_build_info` of /metrics.
__version__ = "1.1.0"
