"""The fields of the transactions API, in and out."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from timeseries_project.api.fields import EpochField, IntegerField, NumberField, TimestampField
from timeseries_project.api.serializers import InputSerializer


class TransactionSerializer(InputSerializer):
    """One payment, or one refund if the amount is negative."""

    amount = NumberField(help_text="The amount; negative for a refund.")
    timestamp = EpochField(unit="milliseconds", help_text="When, in epoch milliseconds.")


class StatisticsQuerySerializer(InputSerializer):
    """How far back the statistics go."""

    window = IntegerField(least=1, most=60, default=60, help_text="So many seconds, up to now.")


class StatisticsSerializer(serializers.Serializer[Any]):
    """The transactions of the window, 60 seconds by default; zeros when there is none."""

    sum = serializers.FloatField()
    avg = serializers.FloatField()
    max = serializers.FloatField()
    min = serializers.FloatField()
    count = serializers.IntegerField(min_value=0)


class SecondSerializer(serializers.Serializer[Any]):
    """The transactions of one second."""

    timestamp = TimestampField(help_text="When the second begins.")
    count = serializers.IntegerField(min_value=0, help_text="How many.")
    sum = serializers.FloatField(allow_null=True, help_text="Their sum; null where there is none.")
    min = serializers.FloatField(allow_null=True, help_text="The smallest; null where there is none.")
    max = serializers.FloatField(allow_null=True, help_text="The largest; null where there is none.")
