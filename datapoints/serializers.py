"""What goes in and out of the datapoints API, field by field."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from rest_framework import serializers

from datapoints.statistics import Fill
from timeseries_project.api.fields import (
    BucketField,
    ChoiceField,
    CursorField,
    IntegerField,
    KeyField,
    NumberField,
    TimestampField,
)
from timeseries_project.api.serializers import InputSerializer
from timeseries_project.core.errors import FieldError

MAX_WINDOW_SIZE = 2**31 - 1
#: Datapoints in one answer at most.
MAX_LIMIT = 10_000


class OnDuplicate(StrEnum):
    """What becomes of a datapoint that exists already."""

    ERROR = "error"
    SKIP = "skip"


class DatapointSerializer(InputSerializer):
    """One measured value. Timestamp, device and user together are unique."""

    timestamp = TimestampField(help_text="When it was measured, to the microsecond.")
    value = NumberField(help_text="What was measured.")
    device = KeyField(help_text="What measured it.")
    user = KeyField(help_text="For whom.")


class AddQuerySerializer(InputSerializer):
    """How datapoints are added."""

    on_duplicate = ChoiceField(
        OnDuplicate, default=OnDuplicate.ERROR, help_text="`skip` stores what is new and counts the rest."
    )


def _check_range(values: dict[str, Any]) -> list[FieldError]:
    start, end = values["start"], values["end"]
    if start is not None and end is not None and start > end:
        return [FieldError("start", "must not be after end.")]
    return []


class RangeSerializer(InputSerializer):
    """A half-open range of time."""

    start = TimestampField(required=False, help_text="From here on, inclusive.")
    end = TimestampField(required=False, help_text="Up to here, exclusive.")

    @classmethod
    def check_query(cls, values: dict[str, Any]) -> list[FieldError]:
        """Refuse a range that ends before it starts."""
        return _check_range(values)


#: The time, device and user of the last datapoint of a part of the listing.
PLACE = tuple[int, str, str]


class ListQuerySerializer(RangeSerializer):
    """Which datapoints are listed."""

    device = KeyField(required=False, help_text="Of this device only.")
    user = KeyField(required=False, help_text="Of this user only.")
    limit = IntegerField(least=1, most=MAX_LIMIT, default=1_000, help_text="Datapoints in one answer.")
    cursor = CursorField(PLACE, required=False, help_text="`next` of the answer before.")


class StatisticsQuerySerializer(RangeSerializer):
    """Which buckets are answered, and what stands in the empty ones."""

    bucket = BucketField(default=15 * 60, help_text="The buckets' width, from 1s to 366d.")
    fill = ChoiceField(Fill, default=Fill.NULL, help_text="What stands in an empty bucket.")


class MovingAverageQuerySerializer(StatisticsQuerySerializer):
    """The same, and the window that moves."""

    window_size = IntegerField(least=1, most=MAX_WINDOW_SIZE, help_text="How many buckets a window holds.")
    min_periods = IntegerField(
        required=False,
        least=1,
        most=MAX_WINDOW_SIZE,
        help_text="How many of them must have a value; all by default.",
    )

    @classmethod
    def check_query(cls, values: dict[str, Any]) -> list[FieldError]:
        """Refuse to wait for more buckets than a window holds."""
        errors = _check_range(values)
        if values["min_periods"] is not None and values["min_periods"] > values["window_size"]:
            errors.append(FieldError("min_periods", "must not be larger than window_size."))
        return errors


class ChartQuerySerializer(RangeSerializer):
    """What the page draws; without a device or user it lets one choose."""

    device = KeyField(required=False, help_text="The device; either it or a user.")
    user = KeyField(required=False, help_text="The user; either it or a device.")
    bucket = BucketField(required=False, help_text="The buckets' width; by default one that suits the range.")
    window_size = IntegerField(
        least=1, most=MAX_WINDOW_SIZE, default=4, help_text="How many buckets a moving average's window holds."
    )

    @classmethod
    def check_query(cls, values: dict[str, Any]) -> list[FieldError]:
        """Refuse a device and a user at once, and a range that ends before it starts."""
        errors = _check_range(values)
        if values["device"] is not None and values["user"] is not None:
            errors.append(FieldError("user", "must not be given together with device."))
        return errors


class DatapointsCreatedSerializer(serializers.Serializer[Any]):
    """What became of a batch."""

    created = serializers.IntegerField(min_value=0, help_text="Datapoints stored.")
    skipped = serializers.IntegerField(
        min_value=0, required=False, help_text="Datapoints that existed already; with `on_duplicate=skip`."
    )


class ListingSerializer(serializers.Serializer[Any]):
    """A page of the listing."""

    results = DatapointSerializer(many=True)
    next = serializers.CharField(allow_null=True, help_text="The next page's `cursor`; null on the last.")


class SummarySerializer(serializers.Serializer[Any]):
    """What is stored of a key."""

    count = serializers.IntegerField(min_value=1, help_text="How many datapoints.")
    first = TimestampField(help_text="When the oldest was measured.")
    last = TimestampField(help_text="When the newest was measured.")


class DeviceSerializer(SummarySerializer):
    """What is stored of a device."""

    device = KeyField()


class UserSerializer(SummarySerializer):
    """What is stored of a user."""

    user = KeyField()


class BucketSerializer(serializers.Serializer[Any]):
    """The aggregate of one bucket."""

    timestamp = TimestampField(help_text="The bucket's start.")
    value = serializers.FloatField(allow_null=True, help_text="null where the bucket is empty.")
    count = serializers.IntegerField(min_value=0, help_text="How many datapoints it holds.")


class MovingAverageSerializer(serializers.Serializer[Any]):
    """The moving average that ends in one bucket."""

    timestamp = TimestampField(help_text="The bucket's start.")
    value = serializers.FloatField(allow_null=True, help_text="null where the window lacks buckets.")
