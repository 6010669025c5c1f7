"""The fields of the transactions API, in and out."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from timeseries_project.api.fields import IntegerField, NumberField
from timeseries_project.api.serializers import InputSerializer


class TransactionSerializer(InputSerializer):
    """One payment, or one refund if the amount is negative."""

    amount = NumberField(help_text="The amount; negative for a refund.")
    timestamp = IntegerField(most=None, help_text="When, in epoch milliseconds.")


class StatisticsSerializer(serializers.Serializer[Any]):
    """The transactions of the last 60 seconds; zeros when there is none."""

    sum = serializers.FloatField()
    avg = serializers.FloatField()
    max = serializers.FloatField()
    min = serializers.FloatField()
    count = serializers.IntegerField(min_value=0)
