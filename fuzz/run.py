"""Fuzzes one target, or all in turn: `make fuzz ARGS="body -max_total_time=600"` (options are libFuzzer's).

New inputs are written to build/fuzz, and so are inputs that break a property; add these to fuzz/corpus once fixed.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "timeseries_project.settings")
SECONDS = 300


def fuzz(target: str, options: list[str]) -> None:
    """Fuzz a target in this process until it fails or its time is over."""
    import atheris

    with atheris.instrument_imports(include=["bandwidth", "datapoints", "timeseries_project", "transactions", "fuzz"]):
        from fuzz.targets import TARGETS
    found = ROOT / "build" / "fuzz" / target
    found.mkdir(parents=True, exist_ok=True)
    corpus = ROOT / "fuzz" / "corpus" / target
    limits = [f"-max_total_time={SECONDS}", "-max_len=4096", "-timeout=20", "-rss_limit_mb=4096"]
    places = [f"-artifact_prefix={found}/", f"-dict={ROOT / 'fuzz' / 'words.dict'}"]
    atheris.Setup([sys.argv[0], *limits, *places, *options, str(found), str(corpus)], TARGETS[target])
    atheris.Fuzz()


def main() -> int:
    """Fuzz the target that the command line names, or all targets, each in a process of its own."""
    named = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
    options = [argument for argument in sys.argv[1:] if argument.startswith("-")]
    if named:
        fuzz(named[0], options)
        return 0
    targets = sorted(path.name for path in (ROOT / "fuzz" / "corpus").iterdir())
    return max(subprocess.run([sys.executable, __file__, target, *options]).returncode for target in targets)


if __name__ == "__main__":
    sys.exit(main())
