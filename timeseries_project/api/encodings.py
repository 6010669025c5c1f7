"""Content encodings of bodies: gzip, decoded no further than the limit."""

from __future__ import annotations

import zlib

from rest_framework.exceptions import ParseError

from timeseries_project.api.errors import BodyTooLarge

#: Names of gzip (RFC 9110 section 8.4.1.3).
GZIP = frozenset({"gzip", "x-gzip"})
#: Members of one body at most: an empty one takes 20 bytes, and its decoder as much time as those of any other.
MAX_MEMBERS = 10_000
#: Decoders hand back a copy of what follows their member, so of later ones they are given little at first.
_FIRST_PIECE = 4_096
_GZIP_ONLY = 31  # zlib's window bits: the largest window, with a gzip header


def gunzip(body: bytes, limit: int) -> bytes:
    """Decode a gzip body of one or several members (RFC 1952). O(encoded + decoded).

    BodyTooLarge beyond `limit` bytes, of which no more than one is decoded; ParseError for what is cut off,
    damaged, followed by anything else, or of more than MAX_MEMBERS.
    """
    parts: list[bytes] = []
    room, start, piece = limit + 1, 0, len(body)  # nearly all bodies are one member, decoded at once
    try:
        for _ in range(MAX_MEMBERS):
            member = zlib.decompressobj(_GZIP_ONLY)
            while not member.eof:
                given = body[start : start + piece]
                if not given:
                    raise ParseError("The gzip body is cut off.")
                parts.append(member.decompress(given, room))
                room -= len(parts[-1])
                if not room:
                    raise BodyTooLarge(limit)
                start += len(given) - len(member.unused_data)
                piece *= 8
            if start == len(body):
                return parts[0] if len(parts) == 1 else b"".join(parts)
            piece = _FIRST_PIECE
    except zlib.error as error:
        raise ParseError(f"The gzip body is damaged: {error}.") from None
    raise ParseError(f"The gzip body has more than {MAX_MEMBERS:,} members.")
