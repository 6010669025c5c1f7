"""The fields of the bandwidth API, in and out."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from bandwidth.directions import Direction
from bandwidth.units import Per, Threshold, Unit, parse_rate
from timeseries_project.api.fields import (
    ChoiceField,
    CursorField,
    EpochField,
    IntegerField,
    KeyField,
    WireField,
    refuse,
)
from timeseries_project.api.keys_field import KeysField
from timeseries_project.api.serializers import InputSerializer
from timeseries_project.api.sorting import BY_NAME, ListPlace, SortField
from timeseries_project.core.errors import FieldError

MAX_WINDOW_TIME = 2**31 - 1
MAX_WINDOWS = 10_000
#: The columns by which the page's list of devices can be sorted.
LIST_COLUMNS = ("name", "bytes_ts", "bytes_fs", "entries", "first", "last")
#: The largest number of rows in one listing of entries.
MAX_LIMIT = 10_000


class EntrySerializer(InputSerializer):
    """The bytes that a sensor counted for one device."""

    device_id = KeyField(help_text="The device.")
    timestamp = EpochField(help_text="When, in epoch seconds.")
    bytes_ts = IntegerField(help_text="Bytes to the server.")
    bytes_fs = IntegerField(help_text="Bytes from the server.")


class WindowsQuerySerializer(InputSerializer):
    """Query parameters that choose the windows."""

    device_uuid = KeyField(help_text="The device.")
    end_time = EpochField(required=False, help_text="The last window's end in epoch seconds; now by default.")
    window_time = IntegerField(least=1, most=MAX_WINDOW_TIME, default=60, help_text="Length of a window in seconds.")
    num_windows = IntegerField(least=1, most=MAX_WINDOWS, default=10, help_text="Number of windows.")


#: The device and second of the last row of a listing of entries, to which its cursor points.
PLACE = tuple[str, int]


class EntriesQuerySerializer(InputSerializer):
    """Which entries to list."""

    device_uuid = KeyField(required=False, help_text="Only entries of this device.")
    start = EpochField(required=False, help_text="Start of the range in epoch seconds, inclusive.")
    end = EpochField(required=False, help_text="End of the range in epoch seconds, exclusive.")
    limit = IntegerField(least=1, most=MAX_LIMIT, default=1_000, help_text="Largest number of rows to return.")
    cursor = CursorField(PLACE, required=False, help_text="`next` of the previous answer.")

    @classmethod
    def check_query(cls, values: dict[str, Any]) -> list[FieldError]:
        """Refuse a range that ends before it starts."""
        start, end = values["start"], values["end"]
        wrong = start is not None and end is not None and start > end
        return [FieldError("start", "must not be after end.")] if wrong else []


class RateField(WireField):
    """A rate in the unit of which the chart's unit is a multiple: a number with or without a prefix, such as `1.5M`."""

    def to_internal_value(self, data: Any) -> Threshold:
        """Read a rate."""
        try:
            return parse_rate(data)
        except ValueError as error:
            refuse(str(error))


class ChartQuerySerializer(WindowsQuerySerializer):
    """Query parameters of the chart; without a device, the page offers a list."""

    device_uuid = KeysField(required=False, help_text="The device; repeated, several in one chart.")
    direction = ChoiceField(Direction, default=Direction.BOTH, help_text="Which lines each device has.")
    unit = ChoiceField(Unit, default=Unit.BYTES, help_text="The unit of all figures.")
    per = ChoiceField(Per, default=Per.WINDOW, help_text="Whether figures are per window or per second.")
    threshold = RateField(required=False, help_text="A rate in bytes or bits per second that a line shows.")
    search = KeyField(required=False, help_text="Of the list: only devices that contain this text, whatever its case.")
    sort = SortField(LIST_COLUMNS, default=BY_NAME, help_text="Of the list: its order, such as `-last`.")
    cursor = CursorField(ListPlace, required=False, help_text="Of the list: its next or previous part.")


class EntriesCreatedSerializer(serializers.Serializer[Any]):
    """The answer to a batch."""

    created = serializers.IntegerField(min_value=0, help_text="Entries stored.")
    expired = serializers.IntegerField(
        min_value=0, required=False, help_text="Entries older than `RETENTION` keeps, not stored; if it is set."
    )


class WindowSerializer(serializers.Serializer[Any]):
    """The bytes of one window, whose end is its timestamp, inclusive."""

    timestamp = serializers.IntegerField(help_text="The window's end in epoch seconds.")
    bytes_ts = serializers.IntegerField(min_value=0, help_text="Bytes to the server.")
    bytes_fs = serializers.IntegerField(min_value=0, help_text="Bytes from the server.")


class WindowsSerializer(serializers.Serializer[Any]):
    """The query with its defaults filled in, and the windows, oldest first."""

    device_uuid = serializers.CharField()
    end_time = serializers.IntegerField()
    window_time = serializers.IntegerField()
    num_windows = serializers.IntegerField()
    data = WindowSerializer(many=True)  # type: ignore[assignment]  # hides Serializer.data, unused here


class InstantSerializer(serializers.Serializer[Any]):
    """What is stored of a device at one instant: its entries, added up."""

    device_id = serializers.CharField()
    timestamp = serializers.IntegerField(min_value=0, help_text="The instant in epoch seconds.")
    bytes_ts = serializers.IntegerField(min_value=0, help_text="Bytes to the server.")
    bytes_fs = serializers.IntegerField(min_value=0, help_text="Bytes from the server.")


class EntriesSerializer(serializers.Serializer[Any]):
    """Some instants in order, and the cursor of those that follow."""

    results = InstantSerializer(many=True)
    next = serializers.CharField(allow_null=True, help_text="The `cursor` of the next listing; null in the last one.")


class BandwidthDeviceSerializer(serializers.Serializer[Any]):
    """A device's totals."""

    device_id = serializers.CharField()
    count = serializers.IntegerField(min_value=1, help_text="Number of entries.")
    first = serializers.IntegerField(help_text="Timestamp of the oldest entry, in epoch seconds.")
    last = serializers.IntegerField(help_text="Timestamp of the newest entry, in epoch seconds.")
    bytes_ts = serializers.IntegerField(min_value=0, help_text="Total bytes to the server.")
    bytes_fs = serializers.IntegerField(min_value=0, help_text="Total bytes from the server.")
