"""Settings from environment variables. A bad value stops the start with one line that names it.

`SystemExit` with a message does that: Django prints nothing around it, under the autoreloader too.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple, NoReturn

if TYPE_CHECKING:
    from timeseries_project.storage.location import Location

#: What a bearer token is made of (RFC 6750 section 2.1).
_B68TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")
#: A token of fewer characters draws a warning at the start.
SHORT_TOKEN = 16
_RATE = re.compile(r"([1-9][0-9]{0,8})\s*/\s*([a-z]+)", re.ASCII)
#: Seconds in the units of a length of time, and in those of a rate.
LENGTHS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_PERIODS = {"s": 1, "sec": 1, "second": 1, "min": 60, "minute": 60, "hour": 3_600, "day": 86_400}


class Rate(NamedTuple):
    """So many requests in so many seconds."""

    requests: int
    seconds: int


def refuse(name: str, reason: str) -> NoReturn:
    """Stop the start: print `NAME: reason` on standard error and exit with 1."""
    raise SystemExit(f"{name}: {reason}")


def text(name: str, default: str) -> str:
    """Return the variable as it is; an unset or empty one is the default."""
    return os.environ.get(name) or default


def boolean(name: str, default: bool) -> bool:
    """Return true or false; the words true, false, 1, 0, yes, no, on and off are known, in any case."""
    value = text(name, str(default)).strip().lower()
    if value in {"true", "1", "yes", "on"}:
        return True
    if value in {"false", "0", "no", "off"}:
        return False
    refuse(name, f"must be true or false, not {value!r}.")


def integer(name: str, default: int, *, least: int, most: int) -> int:
    """Return a whole number in plain digits, from least to most."""
    value = text(name, str(default)).strip()
    if not (value.isascii() and value.isdigit() and len(value) <= 20 and least <= int(value) <= most):
        refuse(name, f"must be a whole number from {least} to {most}, not {value!r}.")
    return int(value)


def choice(name: str, default: str, known: Iterable[str]) -> str:
    """Return one of the known words."""
    value = text(name, default).strip()
    if value not in known:
        refuse(name, f"must be one of {', '.join(known)}, not {value!r}.")
    return value


def duration(name: str, *, most_days: int) -> int | None:
    """Return a length of time in seconds: digits and s, m, h or d; none if it is unset. From a second on."""
    value = text(name, "").strip()
    if not value:
        return None
    digits, unit = value[:-1], value[-1]
    if digits.isascii() and digits.isdigit() and len(digits) <= 12 and unit in LENGTHS:
        seconds = int(digits) * LENGTHS[unit]
        if 0 < seconds <= most_days * LENGTHS["d"]:
            return seconds
    refuse(name, f"must be a whole number and s, m, h or d, from 1s to {most_days}d, like 30d, not {value!r}.")


def address() -> tuple[str, int]:
    """Return where the server listens: HOST and PORT."""
    return text("HOST", "127.0.0.1"), integer("PORT", 8_000, least=1, most=65_535)


def server_url() -> str:
    """Return the URL at which this machine reaches the server: a name that means everywhere is no place to go to."""
    host, port = address()
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - nothing is bound
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def words(name: str, default: str) -> list[str]:
    """Return the comma-separated words, without blanks around them."""
    return [word.strip() for word in text(name, default).split(",") if word.strip()]


def hosts(name: str, default: str) -> list[str]:
    """Return host names as ALLOWED_HOSTS takes them; a scheme, path or port in one is refused."""
    found = words(name, default)
    for host in found:
        name_part = host.rpartition("]")[2] if host.startswith("[") else host
        if "/" in host or ":" in name_part or any(c.isspace() for c in host):
            refuse(name, f"must hold host names without scheme, path or port, not {host!r}.")
    return found


def tokens(name: str) -> list[str]:
    """Return comma-separated bearer tokens; none if the variable is unset or empty. No message shows one."""
    found = words(name, "")
    if not found and os.environ.get(name):
        refuse(name, "holds no token; leave it out where none is wanted.")
    for place, token in enumerate(found, 1):
        if not _B68TOKEN.fullmatch(token):
            refuse(name, f"token {place} of {len(found)} is none: letters, digits and -._~+/ make one, = may end it.")
    return found


def rate(name: str) -> Rate | None:
    """Return a number per unit of time, such as 1000/min; None if the variable is unset or empty."""
    value = text(name, "").strip()
    if not value:
        return None
    match = _RATE.fullmatch(value)
    if not match or match[2] not in _PERIODS:
        refuse(name, f"must be a number per s, sec, min, hour or day, such as 1000/min, not {value!r}.")
    return Rate(int(match[1]), _PERIODS[match[2]])


def storage(name: str) -> Location | None:
    """Return where the state is shared, or None for memory://, the process's own."""
    url = text(name, "memory://").strip()
    if url == "memory://":
        return None
    # Takes a quarter of a second, so only where it is needed.
    from timeseries_project.storage.location import parse_location

    try:
        return parse_location(url)
    except ValueError as error:
        refuse(name, f"{error}.")
