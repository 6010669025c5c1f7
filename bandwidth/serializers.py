"""What goes in and out of the bandwidth API, field by field."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from timeseries_project.api.fields import IntegerField, KeyField
from timeseries_project.api.serializers import InputSerializer

MAX_WINDOW_TIME = 2**31 - 1
MAX_WINDOWS = 10_000


class EntrySerializer(InputSerializer):
    """The bytes that one sensor counted for one device."""

    device_id = KeyField(help_text="The device.")
    timestamp = IntegerField(most=None, help_text="When, in epoch seconds.")
    bytes_ts = IntegerField(help_text="Bytes to the server.")
    bytes_fs = IntegerField(help_text="Bytes from the server.")


class WindowsQuerySerializer(InputSerializer):
    """Which windows are answered."""

    device_uuid = KeyField(help_text="The device.")
    end_time = IntegerField(required=False, help_text="The last window's end in epoch seconds; now by default.")
    window_time = IntegerField(least=1, most=MAX_WINDOW_TIME, default=60, help_text="A window's seconds.")
    num_windows = IntegerField(least=1, most=MAX_WINDOWS, default=10, help_text="How many windows.")


class ChartQuerySerializer(WindowsQuerySerializer):
    """Which windows the page draws; without a device it lets one choose."""

    device_uuid = KeyField(required=False, help_text="The device.")


class EntriesCreatedSerializer(serializers.Serializer[Any]):
    """What became of a batch."""

    created = serializers.IntegerField(min_value=0, help_text="Entries stored.")


class WindowSerializer(serializers.Serializer[Any]):
    """The bytes of one window, which ends at, and includes, its timestamp."""

    timestamp = serializers.IntegerField(help_text="The window's end in epoch seconds.")
    bytes_ts = serializers.IntegerField(min_value=0, help_text="Bytes to the server.")
    bytes_fs = serializers.IntegerField(min_value=0, help_text="Bytes from the server.")


class WindowsSerializer(serializers.Serializer[Any]):
    """What was asked, defaults filled in, and the windows, oldest first."""

    device_uuid = serializers.CharField()
    end_time = serializers.IntegerField()
    window_time = serializers.IntegerField()
    num_windows = serializers.IntegerField()
    data = WindowSerializer(many=True)  # type: ignore[assignment]  # hides Serializer.data, unused here


class BandwidthDeviceSerializer(serializers.Serializer[Any]):
    """What is stored of a device."""

    device_id = serializers.CharField()
    count = serializers.IntegerField(min_value=1, help_text="How many entries.")
    first = serializers.IntegerField(help_text="When the oldest was counted, in epoch seconds.")
    last = serializers.IntegerField(help_text="When the newest was counted, in epoch seconds.")
    bytes_ts = serializers.IntegerField(min_value=0, help_text="Bytes to the server in all.")
    bytes_fs = serializers.IntegerField(min_value=0, help_text="Bytes from the server in all.")
