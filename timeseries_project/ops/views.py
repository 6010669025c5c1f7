"""The endpoints for operations: `/readyz` and `/metrics`. `/healthz`, which checks nothing, is in `api`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, CollectorRegistry, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from timeseries_project.api.framework import Response
from timeseries_project.api.renderers import BrowsableAPIRenderer
from timeseries_project.api.schema import PAGE, HealthSerializer, answer, problems
from timeseries_project.api.views import ApiView, OpenView
from timeseries_project.core.errors import NotReadyError
from timeseries_project.ops import metrics, readiness


class ReadyView(OpenView):
    """Whether the process can serve: its data are loaded and everything it depends on is available."""

    name = "Readiness"

    @extend_schema(
        operation_id="readyz",
        summary="Check that requests can be served",
        responses={**answer(HealthSerializer, {"status": "ok"}), **problems(400, 406, 503)},
        tags=["operations"],
    )
    def get(self, request: Request) -> Response:
        """Answer 200 if requests can be served, else 503 with the reasons."""
        if reasons := readiness.reasons():
            raise NotReadyError(" ".join(reasons))
        return Response({"status": "ok"})


class TextRenderer(BaseRenderer):
    """Prometheus' text format."""

    media_type = CONTENT_TYPE_PLAIN_0_0_4
    format = "prometheus"
    charset = None
    render_style = "text"

    def render(
        self,
        data: CollectorRegistry,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        """Write the current value of every metric of a registry."""
        return generate_latest(data)


class OpenMetricsRenderer(TextRenderer):
    """OpenMetrics 1.0, which Prometheus prefers."""

    media_type = openmetrics.CONTENT_TYPE_LATEST
    format = "openmetrics"

    def render(
        self,
        data: CollectorRegistry,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        """Write the same in OpenMetrics."""
        text: bytes = openmetrics.generate_latest(data)  # type: ignore[no-untyped-call]
        return text


class MetricsPage(BrowsableAPIRenderer):
    """The text in an HTML page, for people."""

    def get_default_renderer(self, view: Any) -> BaseRenderer:
        """Show what clients get that ask for no page."""
        return TextRenderer()

    def get_content(self, renderer: Any, data: Any, accepted_media_type: Any, renderer_context: Any) -> str:
        """Return the text."""
        return TextRenderer().render(data).decode()


_RENDERERS: list[BaseRenderer] = [TextRenderer(), OpenMetricsRenderer(), MetricsPage()]


class MetricsView(ApiView):
    """What the process counts and holds, in Prometheus' text format; OpenMetrics where a client prefers it."""

    name = "Metrics"

    def get_renderers(self) -> list[BaseRenderer]:
        """Return the formats of metrics, of which none is JSON; OPTIONS, which answers no metrics, keeps JSON."""
        return super().get_renderers() if self.operation in ("metadata", "options") else _RENDERERS

    @extend_schema(
        operation_id="metrics",
        summary="Export metrics for Prometheus",
        responses={
            (200, "text/plain"): OpenApiResponse(
                {"type": "string"},
                description="Version 0.0.4; `application/openmetrics-text` is available too.",
                examples=[
                    OpenApiExample(
                        "A piece",
                        value="# HELP timeseries_datapoints Datapoints stored.\n"
                        "# TYPE timeseries_datapoints gauge\ntimeseries_datapoints 3.0\n",
                    )
                ],
            ),
            (200, "application/openmetrics-text"): OpenApiResponse({"type": "string"}),
            (200, "text/html"): PAGE,
            **problems(400, 406),
        },
        tags=["operations"],
    )
    def get(self, request: Request) -> Response:
        """Answer all metrics of this process."""
        return Response(metrics.registry)
