"""Writes `bandwidths.py` beside this file: half an hour of plausible traffic of five devices.

Each run writes the same file: `python bandwidth/sample/make_sample.py`.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from pathlib import Path

END = 1_767_227_400  # 2026-01-01T00:30:00Z
STEP = 10
ENTRIES = 180

HEADER = '''"""The sample listing: what five devices sent and received every 10 s for half an hour.

Written by make_sample.py; ends at 2026-01-01T00:30:00Z.
"""

BANDWIDTHS = [
'''

Traffic = tuple[float, float]  # bytes to and from the server in one step


def wifi(step: int, noise: random.Random) -> Traffic:
    """Many people browsing: a slow swell, with a video now and then."""
    swell = 1.7 + math.sin(step / 28) + 0.35 * math.sin(step / 7)
    video = 2.5 if 60 <= step < 84 or 132 <= step < 150 else 0.0
    return 60_000 * swell * noise.uniform(0.7, 1.3), 310_000 * (swell + video) * noise.uniform(0.75, 1.25)


def backup(step: int, noise: random.Random) -> Traffic:
    """Idle, except for one long upload and its acknowledgements."""
    if 54 <= step < 126:
        return 4_200_000 * noise.uniform(0.85, 1.05), 90_000 * noise.uniform(0.8, 1.2)
    return 400 * noise.uniform(0.5, 2), 600 * noise.uniform(0.5, 2)


def camera(step: int, noise: random.Random) -> Traffic:
    """A steady stream up, more while something moves."""
    moving = 1.8 if step % 60 in range(20, 32) else 1.0
    return 750_000 * moving * noise.uniform(0.95, 1.05), 9_000 * noise.uniform(0.9, 1.1)


def display(step: int, noise: random.Random) -> Traffic:
    """A new picture every minute, small keep-alive messages in between."""
    size = 2_600_000 if step % 6 == 0 else 2_000
    return 1_500 * noise.uniform(0.8, 1.2), size * noise.uniform(0.8, 1.2)


def sensor(step: int, noise: random.Random) -> Traffic:
    """A few hundred bytes of measurements; the sensor is unreachable for four minutes."""
    if 96 <= step < 120:
        return 0, 0
    return 320 * noise.uniform(0.9, 1.1), 96 * noise.uniform(0.9, 1.1)


DEVICES: dict[str, Callable[[int, random.Random], Traffic]] = {
    "atrium-wifi": wifi,
    "backup-nas": backup,
    "camera-entrance": camera,
    "display-lobby": display,
    "f1d0c7a2-5b1e-4c8e-9a37-2e6b8d40c9f5": sensor,
}


def lines() -> Iterator[str]:
    """Yield the listing entry by entry, each device from its oldest to its newest."""
    noise = random.Random(20260101)  # noqa: S311 - noise of a sample, no secret
    for device_id, traffic in DEVICES.items():
        for step in range(ENTRIES):
            timestamp = END - STEP * (ENTRIES - 1 - step)
            bytes_ts, bytes_fs = map(round, traffic(step, noise))
            yield (
                f'    {{"timestamp": {timestamp}, "bytes_ts": {bytes_ts}, "bytes_fs": {bytes_fs}, '
                f'"device_id": "{device_id}"}},\n'
            )


if __name__ == "__main__":
    Path(__file__).with_name("bandwidths.py").write_text(f"{HEADER}{''.join(lines())}]\n", encoding="utf-8")
