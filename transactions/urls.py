"""The routes of transactions: the API and the chart page. The name of a view is the heading of its browsable page."""

from django.urls import re_path

from transactions import charts, views

urlpatterns = [
    re_path(
        r"^api/transactions/?\Z",
        views.TransactionViewSet.as_view({"post": "create", "delete": "destroy"}, name="Transactions"),
    ),
    re_path(
        r"^api/statistics/?\Z", views.StatisticsViewSet.as_view({"get": "list"}, name="Statistics of transactions")
    ),
    re_path(
        r"^api/statistics/history/?\Z", views.HistoryViewSet.as_view({"get": "list"}, name="History of transactions")
    ),
    re_path(r"^charts/transactions/?\Z", charts.chart, name="transactions-chart"),
]
