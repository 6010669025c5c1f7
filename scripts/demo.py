"""`make demo`: the production server and simulated traffic, until Ctrl-C stops both.

HOST=127.0.0.1 PORT=8000 python scripts/demo.py [options of manage.py simulate]

The exit status is not zero if the server cannot start, or if either of the two ends with an error.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from timeseries_project import env

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 60.0
STOP_SECONDS = 15.0
POLL_SECONDS = 0.1

Process = subprocess.Popen[bytes]


#: The signals to stop that were received.
received: list[int] = []


def start(*command: str) -> Process:
    """Start a process in a session of its own, so that Ctrl-C does not reach it and `stop` can signal it in order."""
    return subprocess.Popen([sys.executable, *command], cwd=ROOT, start_new_session=True)


def stop(process: Process) -> int:
    """Interrupt a process, kill it if it does not end in time, and return its status."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
    return process.wait()


def wait_until_ready(server: Process, url: SplitResult) -> bool:
    """Return whether the server answers in time, before it ends or a signal comes."""
    deadline = time.monotonic() + START_SECONDS
    while server.poll() is None and not received and time.monotonic() < deadline:
        connection = HTTPConnection(url.hostname or "", url.port, timeout=1)
        try:
            connection.request("GET", "/healthz")
            if connection.getresponse().status == 200:
                return server.poll() is None
        except (OSError, HTTPException):
            time.sleep(POLL_SECONDS)
        finally:
            connection.close()
    return False


def main(options: list[str]) -> int:
    """Run the server and the simulation; return the exit status."""
    url = env.server_url()
    os.environ.setdefault("BANDWIDTHS_FILE", env.SAMPLE_LISTING)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # Not an exception, which could come after a process has started and before it is listed as running.
        signal.signal(number, lambda number, frame: received.append(number))
    running: list[Process] = []
    try:
        running.append(start("-m", "timeseries_project.serve"))
        if not wait_until_ready(running[0], urlsplit(url)):
            if received:
                return 0
            print("The server did not start.", file=sys.stderr)
            return 1
        print(f"Open {url}/ and {url}/charts/bandwidth; Ctrl-C stops server and simulation.", flush=True)
        running.append(start("manage.py", "simulate", *options))
        while not received and all(process.poll() is None for process in running):
            time.sleep(POLL_SECONDS)
        # One may have ended without a signal: the simulation after its duration, or either with an error.
        return max(abs(process.poll() or 0) for process in running)
    finally:
        for process in reversed(running):
            stop(process)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
