"""Settings from environment variables. An invalid value stops the start with one line that names the variable.

The functions raise `SystemExit` with that line: Django adds no output to it, even under the autoreloader.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from timeseries_project.core.spans import SECONDS

if TYPE_CHECKING:
    from timeseries_project.storage.location import Location

#: The syntax of a bearer token (RFC 6750 section 2.1).
_B68TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")
#: A token of fewer characters causes a warning at the start.
SHORT_TOKEN = 16
#: An origin as the Origin header has it (RFC 6454 section 7); names of other scripts are encoded there.
_ORIGIN = re.compile(r"(https?)://([a-z0-9_-]+(?:\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?", re.ASCII)
_PORTS = {"http": 80, "https": 443}
#: The listing that is loaded for development and demonstration, unless BANDWIDTHS_FILE names another or is empty.
SAMPLE_LISTING = str(Path(__file__).resolve().parent.parent / "bandwidth" / "sample" / "bandwidths.py")
#: Addresses that stand for all of this machine, each with the one at which the machine reaches itself.
WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - nothing is bound
_RATE = re.compile(r"([1-9][0-9]{0,8})\s*/\s*([a-z]+)", re.ASCII)
#: Seconds in the units of rates.
_PERIODS = {"s": 1, "sec": 1, "second": 1, "min": 60, "minute": 60, "hour": 3_600, "day": 86_400}


class Rate(NamedTuple):
    """A limit of `requests` per `seconds`."""

    requests: int
    seconds: int


def refuse(name: str, reason: str) -> NoReturn:
    """Stop the start: print `NAME: reason` on standard error and exit with 1."""
    raise SystemExit(f"{name}: {reason}")


def text(name: str, default: str) -> str:
    """Return the variable unchanged, or the default if it is unset or empty."""
    return os.environ.get(name) or default


def boolean(name: str, default: bool) -> bool:
    """Return a boolean, spelt true, false, 1, 0, yes, no, on or off, in any case."""
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
    """Return a duration, spelt as digits and s, m, h or d, in seconds, from 1 up; None if the variable is unset."""
    value = text(name, "").strip()
    if not value:
        return None
    digits, unit = value[:-1], value[-1]
    if digits.isascii() and digits.isdigit() and len(digits) <= 12 and unit in SECONDS:
        seconds = int(digits) * SECONDS[unit]
        if 0 < seconds <= most_days * SECONDS["d"]:
            return seconds
    refuse(name, f"must be a whole number and s, m, h or d, from 1s to {most_days}d, like 30d, not {value!r}.")


def address() -> tuple[str, int]:
    """Return the address at which the server listens: HOST, an IPv6 address without its brackets, and PORT."""
    return text("HOST", "127.0.0.1").removeprefix("[").removesuffix("]"), integer("PORT", 8_000, least=1, most=65_535)


def server_url() -> str:
    """Return the URL at which this machine reaches the server; wildcard addresses become the loopback address."""
    host, port = address()
    return f"http://{bracketed(WILDCARDS.get(host, host))}:{port}"


def bracketed(host: str) -> str:
    """Return a host as URLs have it: an IPv6 address in brackets.

    >>> bracketed("::1"), bracketed("localhost")
    ('[::1]', 'localhost')
    """
    return f"[{host}]" if ":" in host else host


def prefix(name: str) -> str:
    """Return the path under which a proxy shows the service, without a slash at its end; empty if there is none."""
    value = text(name, "").strip()
    if not value:
        return ""
    from timeseries_project.api.prefix import parse_prefix  # which imports Django

    try:
        return parse_prefix(value)
    except ValueError as error:
        refuse(name, f"{error}, not {value[:100]!r}.")


def words(name: str, default: str) -> list[str]:
    """Return the comma-separated words, stripped of blanks."""
    return [word.strip() for word in text(name, default).split(",") if word.strip()]


def hosts(name: str, default: str) -> list[str]:
    """Return host names as ALLOWED_HOSTS takes them; one with a scheme, path or port is refused."""
    found = words(name, default)
    for host in found:
        name_part = host.rpartition("]")[2] if host.startswith("[") else host
        if "/" in host or ":" in name_part or any(c.isspace() for c in host):
            refuse(name, f"must hold host names without scheme, path or port, not {host!r}.")
    return found


def origins(name: str) -> list[str]:
    """Return the comma-separated origins, spelt as browsers send them, or `["*"]`; none if the variable is unset."""
    found = words(name, "")
    if found == ["*"]:
        return found
    spelt = []
    for origin in found:
        match = _ORIGIN.fullmatch(origin.lower())
        if not match or not 0 < int(match[3] or 1) <= 65_535:
            refuse(name, f"must be * or hold origins such as https://host:port, without a path, not {origin!r}.")
        scheme, host, port = match[1], match[2], int(match[3] or _PORTS[match[1]])
        spelt.append(f"{scheme}://{host}" if port == _PORTS[scheme] else f"{scheme}://{host}:{port}")
    return spelt


def tokens(name: str) -> list[str]:
    """Return the comma-separated bearer tokens, none if the variable is unset or empty. Messages never show a token."""
    found = words(name, "")
    if not found and os.environ.get(name):
        refuse(name, "holds no token; leave it unset if tokens are not wanted.")
    for place, token in enumerate(found, 1):
        if not _B68TOKEN.fullmatch(token):
            allowed = "letters, digits and -._~+/, and = at the end"
            refuse(name, f"token {place} of {len(found)} is invalid; a token may have {allowed}.")
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


def snapshot(name: str, *, shared: bool) -> Path | None:
    """Return the absolute path of a file for the data in memory, None if unset or empty; refused if data are shared."""
    value = text(name, "")
    if not value:
        return None
    if shared:
        reason = "is for data in the memory of this process, but STORAGE_URL names a shared storage, which outlives it"
        refuse(name, f"{reason}. Leave it unset, and have the storage save itself: docs/operations.md, Backup.")
    if not hasattr(os, "fork"):
        refuse(name, "needs a system that can fork a process, such as Linux; leave it unset here.")
    if "\0" in value or not Path(value).name or value.endswith("/"):
        refuse(name, f"must be the path of a file, not {value!r}.")
    return Path(value).absolute()


def storage(name: str) -> Location | None:
    """Return the location of the shared storage, or None for memory://, the memory of this process."""
    url = text(name, "memory://").strip()
    if url == "memory://":
        return None
    # Importing this takes a quarter of a second, so only where it is needed.
    from timeseries_project.storage.location import parse_location

    try:
        return parse_location(url)
    except ValueError as error:
        refuse(name, f"{error}.")
