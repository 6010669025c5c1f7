"""gzip for answers: whether a client accepts it, and compressing whole answers and streamed ones."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

from timeseries_project.api.headers import MAX_VALUE, parse_parameters, split_list
from timeseries_project.core.caches import bounded_cache

#: Bytes up to which an answer goes out as it is: it fits into one packet of the network anyhow.
SHORT = 1_024
#: Fast rather than small: of JSON rows, level 6 would save another fifth in three times the time.
LEVEL = 1
_GZIP = 31  # zlib's window bits: the largest window, with a gzip header
#: Names of gzip (RFC 9110 section 8.4.1.3).
_NAMES = ("gzip", "x-gzip")


@bounded_cache(entries=256, longest=256)
def accepts_gzip(accept_encoding: str) -> bool:
    """Whether a client that sends this Accept-Encoding header accepts gzip, and does not prefer no encoding at all.

    What is invalid is passed over; a header longer than MAX_VALUE accepts nothing.

    >>> accepts_gzip("br, gzip;q=0.5"), accepts_gzip("*"), accepts_gzip("gzip;q=0, *"), accepts_gzip("deflate")
    (True, True, False, False)
    """
    if len(accept_encoding) > MAX_VALUE:
        return False
    qualities: dict[str, float] = {}
    for part in split_list(accept_encoding, ","):
        name, parameters = parse_parameters(part)
        try:
            quality = float(parameters.get("q", "1"))
        except ValueError:
            continue
        if 0 <= quality <= 1:
            qualities[name] = quality
    gzip = max((qualities[name] for name in _NAMES if name in qualities), default=qualities.get("*", 0.0))
    return gzip > 0 and gzip >= qualities.get("identity", 0.0)


def compressed(content: bytes) -> bytes:
    """Return a text in gzip. O(n): some milliseconds for a megabyte.

    >>> import gzip
    >>> gzip.decompress(compressed(b"[]"))
    b'[]'
    """
    return zlib.compress(content, LEVEL, _GZIP)


def compressed_parts(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Compress a text part by part. zlib releases the interpreter's lock meanwhile.

    >>> import gzip
    >>> gzip.decompress(b"".join(compressed_parts([b"[1,", b"2]"])))
    b'[1,2]'
    """
    stream = zlib.compressobj(LEVEL, zlib.DEFLATED, _GZIP)
    for part in parts:
        if some := stream.compress(part):
            yield some
    yield stream.flush()
