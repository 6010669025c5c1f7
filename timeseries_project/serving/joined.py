"""A transport that sends the head of an answer together with the first piece of its body.

uvicorn writes the two one after the other, and uvloop sends at once what is written: two system calls, two segments,
and two wake-ups of the client for every small answer.
"""

from __future__ import annotations

from asyncio import Transport

_HEAD, _CONTINUE = b"HTTP/1.1 ", b"HTTP/1.1 100 "
#: Most bytes that are copied in order to be sent with a head.
_SMALL = 16 * 1024


class JoinedTransport:
    """The parts of a transport that uvicorn's protocol uses.

    What looks like a head is held until the next piece, or until the answer or the connection ends; it does no harm if
    it was a piece of a body.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._held = b""
        self.abort = transport.abort
        self.get_extra_info = transport.get_extra_info
        self.is_closing = transport.is_closing
        self.pause_reading = transport.pause_reading
        self.resume_reading = transport.resume_reading

    def write(self, data: bytes) -> None:
        """Send a piece, now or with the next one."""
        if self._held:
            held, self._held = self._held, b""
            if len(data) <= _SMALL:
                self._transport.write(held + data)
            else:
                self._transport.writelines((held, data))
        elif data.startswith(_HEAD) and not data.startswith(_CONTINUE):
            self._held = data
        else:
            self._transport.write(data)

    def flush(self) -> None:
        """Send what is held."""
        if self._held:
            self.write(b"")

    def write_eof(self) -> None:
        """Send everything, and then the end."""
        self.flush()
        self._transport.write_eof()

    def close(self) -> None:
        """Send everything, and close."""
        self.flush()
        self._transport.close()
