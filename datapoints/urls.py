"""The routes of datapoints. The pattern of a key is greedy, because a key may contain anything, even slashes.

The name of a view is the heading of its browsable page.
"""

from __future__ import annotations

from django.urls import re_path

from datapoints import charts, views
from datapoints.influx.urls import urlpatterns as influx
from datapoints.statistics import Aggregate

_AGGREGATE = rf"(?P<aggregate>{'|'.join(Aggregate)})"


def _key(name: str) -> str:
    return rf"(?P<{name}>(?s:.*))"


urlpatterns = [
    re_path(
        r"^datapoints/?\Z",
        views.DatapointViewSet.as_view({"get": "list", "post": "create", "delete": "destroy"}, name="Datapoints"),
        name="datapoints",
    ),
    re_path(r"^devices/?\Z", views.DeviceViewSet.as_view({"get": "list"}, name="Devices"), name="devices"),
    re_path(r"^users/?\Z", views.UserViewSet.as_view({"get": "list"}, name="Users"), name="users"),
    re_path(r"^charts/datapoints/?\Z", charts.chart, name="datapoints-chart"),
    *influx,
]
for _name, _keys, _aggregates, _percentiles, _moving_averages in (
    (
        "device",
        views.DeviceViewSet,
        views.DeviceAggregateViewSet,
        views.DevicePercentileViewSet,
        views.DeviceMovingAverageViewSet,
    ),
    (
        "user",
        views.UserViewSet,
        views.UserAggregateViewSet,
        views.UserPercentileViewSet,
        views.UserMovingAverageViewSet,
    ),
):
    _path = rf"{_name}s/{_key(_name)}"
    urlpatterns += [
        re_path(rf"^{_path}/datapoints/?\Z", _keys.as_view({"delete": "destroy"}, name=f"Datapoints of a {_name}")),
        # Not greedy: a trailing slash is the optional one of the route; a key that ends in a slash has two there.
        re_path(rf"^{_name}s/(?P<{_name}>(?s:.*?))/?\Z", _keys.as_view({"get": "retrieve"}, name=_name.capitalize())),
        re_path(
            rf"^statistics/{_path}/moving_avg/?\Z",
            _moving_averages.as_view({"get": "list"}, name=f"Moving average of a {_name}"),
        ),
        re_path(
            rf"^statistics/{_path}/percentile/?\Z",
            _percentiles.as_view({"get": "list"}, name=f"Percentile of a {_name}"),
        ),
        re_path(
            rf"^statistics/{_path}/{_AGGREGATE}/?\Z",
            _aggregates.as_view({"get": "list"}, name=f"Statistics of a {_name}"),
        ),
        re_path(rf"^statistics/{_path}/(?P<aggregate>[^/]+)/?\Z", views.UnknownAggregateView.as_view()),
    ]
