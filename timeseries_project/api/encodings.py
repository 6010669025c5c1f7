"""Content encodings of bodies: gzip, decoded only up to the limit."""

from __future__ import annotations

import zlib

from rest_framework.exceptions import ParseError

from timeseries_project.api.errors import BodyTooLarge

#: Names of gzip (RFC 9110 section 8.4.1.3).
GZIP = frozenset({"gzip", "x-gzip"})
#: Most gzip members of one body: an empty one takes only 20 bytes, but as much time to set up a decoder as any other.
MAX_MEMBERS = 10_000
#: Highest ratio of decoded to encoded size, beyond a first megabyte. Text of measurements reaches ten to thirty.
MAX_RATIO, FREE_BYTES = 100, 2**20
#: A decoder copies the input that follows its member, so the first piece of every later member is small.
_FIRST_PIECE, _PIECE = 4_096, 2**16
_GZIP_ONLY = 31  # zlib's window bits: the largest window, with a gzip header


def gunzip(body: bytes, limit: int) -> bytes:
    """Decode a gzip body of one or several members (RFC 1952). O(encoded + decoded).

    Raises BodyTooLarge for a body of more than `limit` bytes, after decoding at most one byte more, and for one packed
    more than MAX_RATIO : 1; ParseError for one that is cut off, damaged, followed by other data, or of more than
    MAX_MEMBERS members.

    >>> import gzip
    >>> gunzip(gzip.compress(b"[1,") + gzip.compress(b"2]"), limit=5)
    b'[1,2]'
    """
    decoded = bytearray()
    start, piece = 0, _PIECE
    try:
        for _ in range(MAX_MEMBERS):
            member = zlib.decompressobj(_GZIP_ONLY)
            while not member.eof:
                given = body[start : start + piece]
                if not given:
                    raise ParseError("The gzip body is cut off.")
                decoded += member.decompress(given, min(limit + 1 - len(decoded), FREE_BYTES))
                start += len(given) - len(member.unconsumed_tail) - len(member.unused_data)
                if len(decoded) > limit:
                    raise BodyTooLarge(limit)
                if len(decoded) > FREE_BYTES + MAX_RATIO * start:
                    raise BodyTooLarge(limit, f"The body is packed more than {MAX_RATIO} : 1; send it in parts.")
                piece = min(piece * 8, _PIECE)
            if start == len(body):
                return bytes(decoded)
            piece = _FIRST_PIECE
    except zlib.error as error:
        raise ParseError(f"The gzip body is damaged: {error}.") from None
    raise ParseError(f"The gzip body has more than {MAX_MEMBERS:,} members.")
