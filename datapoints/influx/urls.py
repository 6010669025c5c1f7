"""The routes for clients of InfluxDB."""

from __future__ import annotations

from django.urls import re_path

from datapoints.influx import views

urlpatterns = [
    re_path(r"^write/?\Z", views.WriteViewSet.as_view({"post": "create"}, name="Line protocol"), name="influx-write"),
    re_path(
        r"^api/v2/write/?\Z",
        views.Write2ViewSet.as_view({"post": "create"}, name="Line protocol, version 2"),
        name="influx2-write",
    ),
    re_path(
        r"^query/?\Z",
        views.QueryViewSet.as_view({"get": "retrieve", "post": "create"}, name="Queries of InfluxDB"),
        name="influx-query",
    ),
    re_path(r"^ping/?\Z", views.PingView.as_view(), name="influx-ping"),
]
