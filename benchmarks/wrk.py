"""Loads a server with `wrk`: one thread, sixteen connections, every body different."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

CONNECTIONS = 16

# What wrk prints at the end, instead of its own summary.
_DONE = """
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format("\\nRESULT %d %d %d %d\\n", summary.requests, summary.duration,
    latency:percentile(99), e.connect + e.read + e.write + e.status + e.timeout))
end
"""

_GET = 'request = function() return wrk.format("GET", "{path}") end'

_POST = """
local count = 0
local headers = {{["Content-Type"] = "application/json"}}
request = function()
  count = count + 1
  return wrk.format("POST", "{path}", headers, {body})
end
"""

# A thousand devices report in turn, each a millisecond after its previous report.
_DATAPOINT = (
    """string.format('{{"timestamp":%.3f,"value":%.2f,"device":"device-%d","user":"user-%d"}}',"""
    " {first} + math.floor(count / 1000) / 1000, count % 9973 / 100, count % 1000, count % 100)"
)
_TRANSACTION = """string.format('{{"amount":%.2f,"timestamp":%d000}}', count / 100, os.time())"""


class Load(NamedTuple):
    """The result of a load: requests per second, and the seconds within which 99 of 100 were answered."""

    rate: float
    p99: float


class RefusedError(RuntimeError):
    """Requests failed under load."""


@dataclass(frozen=True)
class Kind:
    """A kind of request: its name, and the script that makes such requests."""

    name: str
    path: str
    body: str = ""

    def script(self, run: int) -> str:
        """Return the Lua script. Each run needs a different number, so that no datapoint is sent twice."""
        if not self.body:
            return _GET.format(path=self.path) + _DONE
        # Each run has an hour of its own in the past, in milliseconds.
        first = int(time.time()) // 86_400 * 86_400 - 400 * 86_400 + run * 3_600
        return _POST.format(path=self.path, body=self.body.format(first=first)) + _DONE


KINDS = (
    Kind("GET /api/statistics", "/api/statistics"),
    Kind("POST /datapoints", "/datapoints", _DATAPOINT),
    Kind("POST /api/transactions", "/api/transactions", _TRANSACTION),
)

_runs = 0


def installed() -> bool:
    """Return whether `wrk` is installed."""
    return shutil.which("wrk") is not None


def load(port: int, kind: Kind, seconds: int) -> Load:
    """Load a server with one kind of request; RefusedError if any failed."""
    global _runs
    _runs += 1
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        script = Path(directory, "requests.lua")
        script.write_text(kind.script(_runs))
        command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout=10s", "-s", str(script)]
        command.append(f"http://127.0.0.1:{port}{kind.path}")
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 30, check=True)
    _, _, result = done.stdout.rpartition("RESULT ")
    count, duration_us, p99_us, failures = map(float, result.split())
    if failures:
        raise RefusedError(f"{failures:.0f} of {count:.0f} requests {kind.name} failed")
    return Load(count / duration_us * 1e6, p99_us / 1e6)
