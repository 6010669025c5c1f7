"""All routes: those of the apps, the shared ones, and last the one that answers 404 to unknown paths."""

from django.urls import re_path

import bandwidth.urls
import datapoints.urls
import transactions.urls
from timeseries_project.api.views import DocsView, FaultView, HealthView, SchemaView
from timeseries_project.ops import views
from timeseries_project.snapshots.views import SnapshotViewSet
from timeseries_project.web import dashboard, sign_in

urlpatterns = [
    # Not with include(): a flat list is searched faster.
    *transactions.urls.urlpatterns,
    *datapoints.urls.urlpatterns,
    *bandwidth.urls.urlpatterns,
    re_path(r"^api/snapshot/?\Z", SnapshotViewSet.as_view({"post": "create"}, name="Snapshot")),
    re_path(r"^\Z", dashboard.home, name="home"),
    re_path(r"^sign-in/?\Z", sign_in.sign_in, name="sign-in"),
    re_path(r"^sign-out/?\Z", sign_in.sign_out, name="sign-out"),
    re_path(r"^healthz/?\Z", HealthView.as_view(), name="healthz"),
    re_path(r"^readyz/?\Z", views.ReadyView.as_view(), name="readyz"),
    re_path(r"^metrics/?\Z", views.MetricsView.as_view(), name="metrics"),
    re_path(r"^api/schema/?\Z", SchemaView.as_view(), name="schema"),
    re_path(r"^api/docs/?\Z", DocsView.as_view(), name="docs"),
    # Not with handler404: with DEBUG on, Django would show its own page instead.
    re_path(r"", FaultView.as_view()),
]
