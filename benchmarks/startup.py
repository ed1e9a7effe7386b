"""Measures how long `buildserver up` takes from an empty data directory until it takes builds.

    python -m benchmarks.startup [--runs 5] [--json]

Timed from outside: from the start of the command to the line that says it is ready. Each run stops what it started.
"""

import argparse
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

READY = "Build Server is ready after"
ROOT = Path(__file__).parents[1]


def measure(runs: int, port: int) -> dict[str, Any]:
    """The seconds of each run, and where and when they were measured."""
    took = [_once(port) for _ in range(runs)]
    return {
        "measured": f"{datetime.now(UTC):%Y-%m-%d}",
        "cores": os.cpu_count(),
        "system": _system(),
        "python": platform.python_version(),
        "ready_s": [round(each, 2) for each in took],
        "median_s": round(statistics.median(took), 2),
        "max_s": round(max(took), 2),
    }


def _once(port: int) -> float:
    with tempfile.TemporaryDirectory(prefix="buildserver-startup-") as folder:
        began = time.monotonic()
        command = [sys.executable, "-m", "app.cli", "up", "--port", str(port), "--data-dir", folder]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT)
        try:
            return _wait_ready(process, began)
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate()


def _wait_ready(process: subprocess.Popen[str], began: float) -> float:
    assert process.stdout is not None, "it was asked for"
    said = []
    for line in process.stdout:
        said.append(line)
        if line.startswith(READY):
            return time.monotonic() - began
    raise SystemExit(f"it did not start:\n{''.join(said)}")


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        return platform.platform(terse=True)


def _print_readable(found: dict[str, Any]) -> None:
    print(f"{found['measured']}, {found['cores']} cores, {found['system']}, Python {found['python']}")
    print("ready after " + ", ".join(f"{each:.2f}" for each in found["ready_s"]) + " s")
    print(f"median {found['median_s']:.2f} s, longest {found['max_s']:.2f} s")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.startup", description="Time `buildserver up`.")
    parser.add_argument("--runs", type=int, default=5, help="how often to start it (default: 5)")
    parser.add_argument("--port", type=int, default=3000, help="where it listens (default: 3000)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    found = measure(arguments.runs, arguments.port)
    if arguments.json:
        print(json.dumps(found, indent=2))
    else:
        _print_readable(found)


if __name__ == "__main__":
    main()
