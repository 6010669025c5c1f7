"""gzip for answers: whether a client accepts it, and compressing whole answers and streamed ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import cast

from django.http import FileResponse, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from isal import isal_zlib

from timeseries_project.api import access, sessions
from timeseries_project.api.configuration import configuration
from timeseries_project.api.framework import closers, set_header
from timeseries_project.api.headers import MAX_VALUE, parse_parameters, split_list
from timeseries_project.core.caches import bounded_cache

#: Bytes up to which an answer goes out as it is: it fits into one packet of the network anyhow.
SHORT = 1_024
#: Bytes from which on compressing may hold up others: it is done in parts, as a streamed answer is sent.
LONG = 64 * 1024
#: Of JSON rows, this makes a tenth, in a quarter of the time of zlib; its slower levels save little more.
LEVEL = 1
_GZIP = 31  # as zlib's window bits: the largest window, with a gzip header
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
    """Return a text in gzip. O(n): about a millisecond for a megabyte.

    >>> import gzip
    >>> gzip.decompress(compressed(b"[]"))
    b'[]'
    """
    return isal_zlib.compress(content, LEVEL, _GZIP)


def compressed_parts(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Compress a text part by part. The interpreter's lock is free meanwhile.

    >>> import gzip
    >>> gzip.decompress(b"".join(compressed_parts([b"[1,", b"2]"])))
    b'[1,2]'
    """
    stream = isal_zlib.compressobj(LEVEL, isal_zlib.DEFLATED, _GZIP)
    for part in parts:
        if some := stream.compress(part):
            yield some
    yield stream.flush()


def compress_long(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """Return an answer of more than SHORT bytes in gzip, if the client accepts it; files are WhiteNoise's task."""
    accepted = request.META.get("HTTP_ACCEPT_ENCODING")
    if not accepted or not accepts_gzip(accepted) or isinstance(response, FileResponse):
        return response
    if "Content-Encoding" in response.headers or _may_betray(request):
        return response
    set_header(response, "Content-Encoding", "gzip")
    if isinstance(response, StreamingHttpResponse):
        response.streaming_content = compressed_parts(cast(Iterator[bytes], response.streaming_content))
        return response
    assert isinstance(response, HttpResponse)
    content = response.content
    if len(content) > LONG:
        return _in_parts(response, content)
    response.content = compressed(content)
    set_header(response, "Content-Length", str(len(response.content)))
    return response


def _in_parts(response: HttpResponse, content: bytes) -> StreamingHttpResponse:
    """Return an answer that compresses its content while it is sent."""
    del response.headers["Content-Length"]
    pieces = (content[start : start + LONG] for start in range(0, len(content), LONG))
    stream = StreamingHttpResponse(compressed_parts(pieces), status=response.status_code, headers=response.headers)
    stream.cookies = response.cookies
    stream.nbytes = len(content)  # type: ignore[attr-defined]  # our attribute, for the budget of answers
    closers(stream).extend(closers(response))
    return stream


def _may_betray(request: HttpRequest) -> bool:
    """Whether the length of a compressed answer could betray data to a page that made the browser ask.

    Such a page would put guesses into the query and watch for answers that become shorter (the BREACH attack). Pages of
    other sites are sent no cookie (SameSite), so that only those of other ports and subdomains are left.
    """
    meta = request.META
    return configuration().tokens_for_reads and sessions.cookie(meta) is not None and access.is_foreign(meta)
