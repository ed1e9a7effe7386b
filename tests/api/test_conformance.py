"""The served API does what its own document says: schemathesis sends what it allows, and what it forbids."""

import subprocess
import sys
from pathlib import Path

from tests.api.world import World

EXAMPLES = "8"
"""Random ones per operation, beside the document's own, those at the bounds of every field, and chains of calls that
use what an earlier one created. More find little that is new, and every one costs milliseconds on each database."""

EXCLUDED = ",".join(
    [
        # The document cannot say which branches, slugs, paths and dependencies exist or are accepted: data that fits
        # its schemas may be answered with 400 all the same.
        "positive_data_acceptance",
        # There is no login yet.
        "ignored_auth",
    ]
)


KNOWN_IDS = """
[[operations]]
include-path-regex = "^/api/(runner|steps)/"
parameters = {{ stepId = "{step}" }}

[[operations]]
include-path-regex = "^/api/projects/"
parameters = {{ id = "{project}" }}

[[operations]]
include-path-regex = "^/api/builds/"
parameters = {{ id = "{build}" }}

[[operations]]
include-path-regex = "^/api/workflows/"
parameters = {{ id = "{workflow}" }}
"""


def test_schemathesis_finds_nothing(world: World, tmp_path: Path) -> None:
    ids = KNOWN_IDS.format(step=world.steps["a"], project=world.project, build=world.build, workflow=world.workflow)
    (tmp_path / "schemathesis.toml").write_text(ids)
    words = ["run", f"{world.client.url}/openapi.json", "--include-path-regex", "^/api/", "--checks", "all"]
    words += ["--exclude-checks", EXCLUDED, "--mode", "all", "--phases", "examples,coverage,fuzzing,stateful"]
    words += ["--max-examples", EXAMPLES, "--suppress-health-check", "all", "--no-color"]
    command = [sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()", *words]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
