"""A build recovers from a crash at every point of its way: the small one here, the whole one by `make crashes`."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROLES = {
    "API: a statement",
    "API: a commit",
    "API: a broker call",
    "orchestrator: a statement",
    "orchestrator: a commit",
    "orchestrator: a broker call",
    "runner: a broker call",
    "runner: a call of claim",
    "runner: a call of complete",
}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_a_build_recovers_from_a_crash_at_every_point(database: str, tmp_path: Path) -> None:
    """In a process of its own: the test's has threads, which a fork leaves behind."""
    verdicts = tmp_path / "verdicts.json"
    words = ["--plan", "small", "--database", database, "--json", str(verdicts)]
    swept = subprocess.run(
        [sys.executable, "-m", "tests.crashes", *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert swept.returncode == 0, swept.stdout + swept.stderr
    told = json.loads(verdicts.read_text())
    assert len(told) > 300
    assert {role for role in ROLES if f"{role} " in swept.stdout} == ROLES
