"""The input and output of the datapoints API, field by field."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec
from rest_framework import serializers

from datapoints.interface import OnDuplicate
from datapoints.statistics import Fill
from timeseries_project.api.fields import (
    BucketField,
    ChoiceField,
    CursorField,
    FractionField,
    IntegerField,
    KeyField,
    NumberField,
    OffsetField,
    TimestampField,
    WireField,
    ZoneField,
    refuse,
)
from timeseries_project.api.keys_field import KeysField
from timeseries_project.api.serializers import InputSerializer
from timeseries_project.api.sorting import BY_NAME, ListPlace, SortField
from timeseries_project.core import spans
from timeseries_project.core.errors import FieldError
from timeseries_project.core.spans import Span

MAX_WINDOW_SIZE = 2**31 - 1
#: The columns by which the page's lists of devices and users can be sorted.
LIST_COLUMNS = ("name", "datapoints", "first", "last")
#: The largest number of datapoints in one answer.
MAX_LIMIT = 10_000
#: The longest range of a chart that ends now, in seconds: a hundred years.
MAX_RANGE = 36_525 * 86_400


class DatapointSerializer(InputSerializer):
    """One measured value. The combination of timestamp, device and user is unique."""

    timestamp = TimestampField(help_text="When it was measured, to the microsecond.")
    value = NumberField(help_text="The measured value.")
    device = KeyField(help_text="The device that measured it.")
    user = KeyField(help_text="The user for whom it was measured.")


class AddQuerySerializer(InputSerializer):
    """Options for adding datapoints."""

    on_duplicate = ChoiceField(
        OnDuplicate,
        default=OnDuplicate.ERROR,
        help_text="What to do with a datapoint that exists already: refuse it, `skip` it or `replace` its value. "
        "Inside a batch the first of several wins with `skip`, the last with `replace`.",
    )


def _check_range(values: dict[str, Any]) -> list[FieldError]:
    start, end = values["start"], values["end"]
    if start is not None and end is not None and start > end:
        return [FieldError("start", "must not be after end.")]
    return []


def _check_zone(values: dict[str, Any]) -> list[FieldError]:
    if values["tz"] is not None and values["bucket"].unit in ("s", "m", "h"):
        message = f"needs buckets of d, w, mo or y: those of {values['bucket']} begin at the same times in every zone."
        return [FieldError("tz", message)]
    return []


def _check_offset(values: dict[str, Any]) -> list[FieldError]:
    bucket, offset = values["bucket"], values["offset"]
    if offset is None:
        return []
    if values["tz"] is not None:
        return [FieldError("offset", "must not be given together with tz, which says when days begin.")]
    if bucket is None:
        return [FieldError("offset", "needs a bucket, than which it must be shorter.")]
    if bucket.seconds is None:
        return [FieldError("offset", f"needs buckets of s, m, h or d: those of {bucket} begin with the calendar.")]
    if offset >= bucket.seconds:
        return [FieldError("offset", f"must be shorter than the bucket, {bucket}.")]
    return []


class RangeSerializer(InputSerializer):
    """A half-open range of time."""

    start = TimestampField(required=False, help_text="Start of the range, inclusive.")
    end = TimestampField(required=False, help_text="End of the range, exclusive.")

    @classmethod
    def check_query(cls, values: dict[str, Any]) -> list[FieldError]:
        """Refuse a range that ends before it starts."""
        return _check_range(values)


class Listed(StrEnum):
    """What the page's list has."""

    DEVICE = "device"
    USER = "user"


class Order(StrEnum):
    """In which direction datapoints are listed."""

    ASC = "asc"
    DESC = "desc"


class Place(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """What the cursor of a listing says: time, device and user of its last datapoint, and its order."""

    timestamp: int
    device: str
    user: str
    order: Order

    @property
    def of_point(self) -> tuple[int, str, str]:
        """The place of the datapoint."""
        return self.timestamp, self.device, self.user


class DeleteQuerySerializer(RangeSerializer):
    """Which datapoints to delete: those that fit everything that is given."""

    device = KeyField(required=False, help_text="Only datapoints of this device.")
    user = KeyField(required=False, help_text="Only datapoints of this user.")

    @classmethod
    def check_query(cls, values: dict[str, Any]) -> list[FieldError]:
        """Refuse to delete the datapoints of everybody, and a range that ends before it starts."""
        errors = _check_range(values)
        if values["device"] is None and values["user"] is None:
            errors.append(FieldError("device", "is required, or a user."))
            errors.append(FieldError("user", "is required, or a device."))
        return errors


class ListQuerySerializer(RangeSerializer):
    """Which datapoints to list."""

    device = KeyField(required=False, help_text="Only datapoints of this device.")
    user = KeyField(required=False, help_text="Only datapoints of this user.")
    limit = IntegerField(least=1, most=MAX_LIMIT, default=1_000, help_text="Largest number of datapoints to return.")
    order = ChoiceField(Order, default=Order.ASC, help_text="`desc` lists the other way round, the newest first.")
    cursor = CursorField(Place, required=False, help_text="`next` of the previous answer.")

    @classmethod
    def check_query(cls, values: dict[str, Any]) -> list[FieldError]:
        """Refuse a wrong range, and the cursor of a listing of the other order."""
        errors = _check_range(values)
        place: Place | None = values["cursor"]
        if place is not None and place.order is not values["order"]:
            errors.append(FieldError("cursor", f"is of a listing with order={place.order}, and goes on only in that."))
        return errors


class StatisticsQuerySerializer(RangeSerializer):
    """Which buckets to return, and how to fill the empty ones."""

    bucket = BucketField(
        default=Span(15, "m"),
        help_text=(
            "Length of the buckets: a width from `1s` to `366d`, or weeks, months or years of the calendar, such as"
            " `1mo`, up to 100 years."
        ),
    )
    tz = ZoneField(
        required=False,
        help_text=(
            "The IANA time zone at whose midnight days, weeks, months and years begin; UTC by default. Not with"
            " narrower buckets, and not together with `offset`."
        ),
    )
    offset = OffsetField(
        required=False,
        help_text=(
            "By how much buckets of an unchanging width are shifted: `bucket=7d&offset=4d` begins on Mondays. Less than"
            " the bucket."
        ),
    )
    fill = ChoiceField(Fill, default=Fill.NULL, help_text="How to fill an empty bucket; `none` leaves it out.")

    @classmethod
    def check_query(cls, values: dict[str, Any]) -> list[FieldError]:
        """Refuse a range that ends before it starts, and a zone or an offset that does not suit the buckets."""
        return _check_range(values) + _check_zone(values) + _check_offset(values)


class PercentileQuerySerializer(StatisticsQuerySerializer):
    """The parameters of all statistics, and which percentile."""

    q = FractionField(
        help_text="The percentile as a fraction: 0.5 is the median, 0.999 is passed by one in a thousand."
    )


class MovingAverageQuerySerializer(StatisticsQuerySerializer):
    """The parameters of all statistics, and those of the moving window."""

    window_size = IntegerField(least=1, most=MAX_WINDOW_SIZE, help_text="Number of buckets in a window.")
    min_periods = IntegerField(
        required=False,
        least=1,
        most=MAX_WINDOW_SIZE,
        help_text="How many buckets of the window must have a value; all by default.",
    )

    @classmethod
    def check_query(cls, values: dict[str, Any]) -> list[FieldError]:
        """Refuse what all statistics refuse, and `min_periods` larger than the window."""
        errors = super().check_query(values)
        if values["min_periods"] is not None and values["min_periods"] > values["window_size"]:
            errors.append(FieldError("min_periods", "must not be larger than window_size."))
        return errors


class Curve(StrEnum):
    """Which curve each of several devices or users has in a chart."""

    AVG = "avg"
    MOVING_AVG = "moving_avg"


class RangeField(WireField):
    """The length of a range that ends now: an integer and `s`, `m`, `h` or `d`, up to a hundred years."""

    def to_internal_value(self, data: Any) -> Span:
        """Read a length such as `6h`."""
        span = spans.parse(data)
        if span is None or span.seconds is None or not 1 <= span.seconds <= MAX_RANGE:
            refuse(f"must be a whole number and s, m, h or d, such as 6h: from 1s to {Span(MAX_RANGE, 's')}.")
        return span


class Averages(StrEnum):
    """How the averages are drawn."""

    LINE = "line"
    BAR = "bar"


class ChartQuerySerializer(RangeSerializer):
    """The parameters of the chart page. Without a device or user the page offers a choice."""

    range = RangeField(required=False, help_text="The range up to now, such as `6h`; not together with start or end.")

    device = KeysField(required=False, help_text="The device, or several; not together with a user.")
    user = KeysField(required=False, help_text="The user, or several; not together with a device.")
    curve = ChoiceField(Curve, default=Curve.AVG, help_text="Which curve each of several devices or users has.")
    bucket = BucketField(required=False, help_text="Length of the buckets; by default one that suits the range.")
    tz = ZoneField(
        required=False, help_text="The IANA time zone of the times shown, and of buckets of d, w, mo and y; else UTC."
    )
    offset = OffsetField(required=False, help_text="By how much buckets of an unchanging width are shifted.")
    window_size = IntegerField(
        least=1, most=MAX_WINDOW_SIZE, default=4, help_text="Number of buckets in a window of the moving average."
    )
    averages = ChoiceField(Averages, default=Averages.LINE, help_text="Whether averages are a line or bars.")
    listed = ChoiceField(Listed, required=False, help_text="Whether devices or users are listed.")
    search = KeyField(required=False, help_text="Of the list: only keys that contain this text, whatever its case.")
    sort = SortField(LIST_COLUMNS, default=BY_NAME, help_text="Of the list: its order, such as `-last`.")
    cursor = CursorField(ListPlace, required=False, help_text="Of the list: its next or previous part.")

    @classmethod
    def check_query(cls, values: dict[str, Any]) -> list[FieldError]:
        """Refuse a device together with a user, a range that ends before it starts, and an offset that is too long."""
        errors = _check_range(values) + _check_offset(values)
        if values["device"] is not None and values["user"] is not None:
            errors.append(FieldError("user", "must not be given together with device."))
        if values["range"] is not None and (values["start"] is not None or values["end"] is not None):
            errors.append(FieldError("range", "ends now: it must not be given together with start or end."))
        return errors


class DatapointsCreatedSerializer(serializers.Serializer[Any]):
    """What became of the datapoints of a batch; each counts once."""

    created = serializers.IntegerField(min_value=0, help_text="Datapoints that are new.")
    skipped = serializers.IntegerField(
        min_value=0, required=False, help_text="Datapoints that existed already; with `on_duplicate=skip`."
    )
    replaced = serializers.IntegerField(
        min_value=0,
        required=False,
        help_text="Datapoints that existed already, or came again in the batch; with `on_duplicate=replace`.",
    )
    expired = serializers.IntegerField(
        min_value=0, required=False, help_text="Datapoints older than `RETENTION` keeps, not stored; if it is set."
    )


class ListingSerializer(serializers.Serializer[Any]):
    """Some datapoints in order, and the cursor of those that follow."""

    results = DatapointSerializer(many=True)
    next = serializers.CharField(allow_null=True, help_text="The `cursor` of the next listing; null in the last one.")


class LatestSerializer(serializers.Serializer[Any]):
    """A newest datapoint."""

    timestamp = TimestampField(help_text="When it was measured.")
    value = NumberField(help_text="The measured value.")


class LatestOfDeviceSerializer(LatestSerializer):
    """The newest datapoint of a device; of several the last by user."""

    user = KeyField()


class LatestOfUserSerializer(LatestSerializer):
    """The newest datapoint of a user; of several the last by device."""

    device = KeyField()


class SummarySerializer(serializers.Serializer[Any]):
    """Summary of the datapoints of a device or user."""

    count = serializers.IntegerField(min_value=1, help_text="Number of datapoints.")
    first = TimestampField(help_text="Timestamp of the oldest datapoint.")
    last = TimestampField(help_text="Timestamp of the newest datapoint.")


class DeviceSerializer(SummarySerializer):
    """Summary of the datapoints of a device."""

    device = KeyField()


class UserSerializer(SummarySerializer):
    """Summary of the datapoints of a user."""

    user = KeyField()


class DeviceDetailSerializer(DeviceSerializer):
    """Summary of the datapoints of a device, and the newest one."""

    latest = LatestOfDeviceSerializer()


class UserDetailSerializer(UserSerializer):
    """Summary of the datapoints of a user, and the newest one."""

    latest = LatestOfUserSerializer()


class BucketSerializer(serializers.Serializer[Any]):
    """The aggregate of one bucket."""

    timestamp = TimestampField(help_text="The bucket's start.")
    value = serializers.FloatField(allow_null=True, help_text="null where the bucket is empty.")
    count = serializers.IntegerField(min_value=0, help_text="Number of datapoints in the bucket.")


class MovingAverageSerializer(serializers.Serializer[Any]):
    """The moving average of the window that ends with one bucket."""

    timestamp = TimestampField(help_text="The bucket's start.")
    value = serializers.FloatField(allow_null=True, help_text="null where too few buckets of the window have a value.")
