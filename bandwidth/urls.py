"""The routes of bandwidth: the API and the chart page. A key may hold any characters, even slashes.

The name of a view is the heading of its browsable page.
"""

from django.urls import re_path

from bandwidth import charts, views

urlpatterns = [
    re_path(r"^api/bandwidth/?\Z", views.BandwidthViewSet.as_view({"get": "list", "post": "create"}, name="Bandwidth")),
    re_path(
        r"^api/bandwidth/entries/?\Z",
        views.EntryViewSet.as_view({"get": "list"}, name="Bandwidth entries"),
        name="bandwidth-entries",
    ),
    re_path(
        r"^api/bandwidth/devices/?\Z",
        views.DeviceViewSet.as_view({"get": "list"}, name="Bandwidth of all devices"),
        name="bandwidth-devices",
    ),
    re_path(
        r"^api/bandwidth/devices/(?P<device_id>(?s:.*?))/?\Z",
        views.DeviceViewSet.as_view({"get": "retrieve", "delete": "destroy"}, name="Bandwidth of a device"),
    ),
    re_path(r"^charts/bandwidth/?\Z", charts.chart, name="bandwidth-chart"),
]
