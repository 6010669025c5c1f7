"""The routes of transactions."""

from django.urls import re_path

from transactions import views

urlpatterns = [
    re_path(
        r"^api/transactions/?\Z",
        views.TransactionViewSet.as_view({"post": "create", "delete": "destroy"}),
    ),
    re_path(r"^api/statistics/?\Z", views.StatisticsViewSet.as_view({"get": "list"})),
]
