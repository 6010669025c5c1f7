"""The query strings and bodies that clients of InfluxDB send."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from django.http import HttpRequest
from rest_framework import serializers
from rest_framework.exceptions import ParseError, UnsupportedMediaType

from datapoints.influx.grammar import Precision
from timeseries_project.api import access
from timeseries_project.api.fields import ChoiceField, WireField
from timeseries_project.api.parsers import BodyParser
from timeseries_project.api.serializers import InputSerializer

OCTETS = "application/octet-stream"
_NO_MEANING = "Has no meaning here."
_MOST_PARAMETERS = 100


class LineParser(BodyParser):
    """Line protocol: plain text, bytes, or whatever has no type.

    A page elsewhere can make a browser send plain text without asking first, so from such a page only bytes are taken.
    """

    media_type = "text/plain"
    synonyms = (OCTETS, "")

    def parse(  # type: ignore[override]  # as `BodyParser`'s
        self, stream: HttpRequest, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> object:
        """Return the body."""
        if access.is_foreign(stream.META) and OCTETS not in (media_type or ""):
            reason = f"A page elsewhere made the browser send this; send Content-Type: {OCTETS}."
            raise UnsupportedMediaType(media_type or "", reason)
        return super().parse(stream, media_type, parser_context)

    def parse_body(self, body: bytes) -> bytes:
        """Return the body; it is read by its precision."""
        return body


class QueryParser(BodyParser):
    """The form in which clients send a query. A form is agreed to, since queries change nothing here."""

    media_type = "application/x-www-form-urlencoded"
    synonyms = ("application/json", "application/vnd.influxql", "text/plain", OCTETS, "")

    def parse(  # type: ignore[override]  # as `BodyParser`'s
        self, stream: HttpRequest, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> object:
        """Return the query; a request without a body has none, even if it says that the body is packed."""
        empty = stream.META.get("CONTENT_LENGTH") in (None, "", "0")
        return None if empty else super().parse(stream, media_type, parser_context)

    def parse_body(self, body: bytes) -> str | None:
        """Return the query, None if the form has none."""
        try:
            form = parse_qs(body.decode(), max_num_fields=_MOST_PARAMETERS)
        except ValueError:
            raise ParseError("The form is not UTF-8, or has too many fields.") from None
        return form["q"][-1] if "q" in form else None


class ClientSerializer(InputSerializer):
    """What clients of InfluxDB send with every request."""

    db = WireField(required=False, help_text=_NO_MEANING)
    rp = WireField(required=False, help_text=_NO_MEANING)
    u = WireField(required=False, help_text="Any name, beside a token in `p`.")
    p = WireField(required=False, help_text="A token, where the request has none in a header.")


class WriteQuerySerializer(ClientSerializer):
    """How to read the times of lines; the rest has no meaning here."""

    precision = ChoiceField(Precision, default=Precision.NANOSECONDS, help_text="The unit of the times.")
    consistency = WireField(required=False, help_text=_NO_MEANING)
    bucket = WireField(required=False, help_text=_NO_MEANING)
    org = WireField(required=False, help_text=_NO_MEANING)
    orgID = WireField(required=False, help_text=_NO_MEANING)


class PingQuerySerializer(ClientSerializer):
    """Whether the answer has a body."""

    verbose = WireField(required=False, help_text="Neither empty, `0` nor `false`: answer 200 with the version.")
    wait_for_leader = WireField(required=False, help_text=_NO_MEANING)


class QuerySerializer(ClientSerializer):
    """A statement, and how InfluxDB would answer it."""

    q = WireField(required=False, help_text="The statement; `CREATE DATABASE` is agreed to.")
    epoch = WireField(required=False, help_text=_NO_MEANING)
    pretty = WireField(required=False, help_text=_NO_MEANING)
    chunked = WireField(required=False, help_text=_NO_MEANING)
    chunk_size = WireField(required=False, help_text=_NO_MEANING)
    params = WireField(required=False, help_text=_NO_MEANING)


class LineFaultSerializer(serializers.Serializer[Any]):
    """One thing wrong with one line, or with one parameter."""

    field = serializers.CharField(help_text="The field or parameter; empty for the line as a whole.")
    message = serializers.CharField(help_text="What is wrong with it.")
    line = serializers.IntegerField(required=False, help_text="The line, from 1.")


class InfluxErrorSerializer(serializers.Serializer[Any]):
    """An error as InfluxDB 1 answers it."""

    error = serializers.CharField(help_text="What is wrong, in a sentence.")
    errors = LineFaultSerializer(  # type: ignore[assignment]  # hides Serializer.errors, unused here
        many=True, required=False, help_text="The faults by line, 100 at most."
    )


class Influx2ErrorSerializer(serializers.Serializer[Any]):
    """An error as InfluxDB 2 answers it."""

    code = serializers.CharField(help_text="The kind of error.")
    message = serializers.CharField(help_text="What is wrong, in a sentence.")
    line = serializers.IntegerField(required=False, help_text="The first line that is wrong, from 1.")
    errors = LineFaultSerializer(  # type: ignore[assignment]  # hides Serializer.errors, unused here
        many=True, required=False, help_text="The faults by line, 100 at most."
    )


class ResultSerializer(serializers.Serializer[Any]):
    """That a statement was agreed to."""

    statement_id = serializers.IntegerField()


class ResultsSerializer(serializers.Serializer[Any]):
    """The answer to a statement."""

    results = ResultSerializer(many=True)


class VersionSerializer(serializers.Serializer[Any]):
    """The version of InfluxDB's API that is spoken."""

    version = serializers.CharField()
