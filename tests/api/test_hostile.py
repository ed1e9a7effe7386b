"""Hostile strings in every field a client can fill: they reach bash only quoted, and the step sees them unchanged.

Each string, were it ever read as bash, would make a file called `canary`. Many are packed into one build, whose
programs are then fetched and run by real bash, each in an empty folder.
"""

import json
import random
import string
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.api.served import Client
from tests.api.world import claim, complete, new_build, new_project, new_workflow, steps_of

SEEDS = range(4)
STEPS, VARIABLES, OUTPUTS = 8, 40, 8
"""For each seed and database about 500 strings, 40 to a program: starting bash is what takes the time."""

COMMANDS = ("touch canary", "$(touch canary)", "`touch canary`", "${x:=$(touch canary)}", ">canary", "<(touch canary)")
BREAKS = (
    "",
    "'",
    '"',
    "\n",
    "\\",
    ";",
    "&&",
    "|",
    ")",
    "}",
    "\r\n",
    "'\"'",
    "\\'",
    "\nEOF\n",
    "$'",
    "! ",
    "#",
    "%s",
    "\t",
)
TEXTS = (
    "\u202etxt",
    "\u2028",
    "ünï",
    "💥",
    "\x1b[31m",
    "\x01",
    "\x7f",
    "*",
    "~",
    "[a-z]",
    "{a,b}",
    "$HOME",
    "-n",
    "--",
    " ",
)


def hostile(rng: random.Random, longest: int, forbidden: str = "") -> str:
    """A string of at most `longest` characters that breaks out of any quoting it was not meant for."""
    parts = [rng.choice(pool) for pool in (BREAKS, COMMANDS, BREAKS, TEXTS, BREAKS, COMMANDS, TEXTS, BREAKS)]
    if longest > 1_000 and rng.random() < 0.05:
        parts.append("'" * longest)
    text = "".join(parts).translate({ord(character): None for character in forbidden})
    return text[:longest]


def plain(rng: random.Random) -> str:
    return "".join(rng.choices(string.ascii_lowercase, k=8))


def step(rng: random.Random, index: int, image: str, names: list[str]) -> dict[str, Any]:
    """A step that prints its whole environment; its outputs are missing, and named in the log."""
    return {
        "name": names[index],
        "imageSlug": image,
        "dependsOn": names[:index] and [rng.choice(names[:index])],
        "runScript": f"env -0\n# {hostile(rng, 5_000, chr(10) + chr(13))}",
        "cacheDirs": [f"cache/{hostile(rng, 500, CONTROLS)}"],
        "outputPaths": [f"out/{hostile(rng, 500, CONTROLS)}" for _ in range(OUTPUTS)],
        "env": {f"VALUE_{number}": hostile(rng, 5_000) for number in range(VARIABLES)},
        "pool": "default",
    }


FETCHES = 10
IN_URLS = (
    "$(touch$IFS'canary')",
    ";touch$IFS'canary';",
    "&&touch$IFS'canary'&&",
    "'",
    "''",
    "!!",
    "*",
    "$HOME",
    "(",
    ")",
)
IN_BRANCHES = (
    "$(touch${IFS}canary)",
    "`touch${IFS}canary`",
    ";touch${IFS}canary;",
    "|touch${IFS}canary|",
    "'",
    '"',
    "#",
)
CONTROLS = "".join(map(chr, range(32))) + "\x7f"


def distinct(rng: random.Random) -> list[str]:
    """Names as the API keeps them: trimmed, and no two alike."""
    return [f"{index}{hostile(rng, 90).strip()}" for index in range(STEPS)]


def run(program: bytes, folder: Path) -> subprocess.CompletedProcess[bytes]:
    folder.mkdir()
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "LC_ALL": "C.UTF-8"}
    return subprocess.run(["bash"], input=program, cwd=folder, env=environment, capture_output=True, check=False)


def environment_of(output: bytes) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in output.decode("utf-8", "replace").split("\0") if "=" in pair)


@pytest.mark.parametrize("seed", SEEDS)
def test_no_string_of_a_client_is_ever_run(client: Client, tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    image = f"i{hostile(rng, 40).strip()}"
    client.created("/api/docker-images", {"slug": image, "imageUrl": "docker://$(touch${IFS}canary)`id`;'x\""})
    project = new_project(client, f"p{hostile(rng, 90)}")
    names = distinct(rng)
    posted = [step(rng, index, image, names) for index in range(STEPS)]
    workflow = new_workflow(client, project, posted)
    texts = {"commitMessage": hostile(rng, 20_000), "commitAuthor": hostile(rng, 20_000)}
    branch = f"b{hostile(rng, 200, CONTROLS + ' ~^:?*[{.@/' + chr(92))}"
    build = new_build(client, project, workflow, branch=branch, **texts)
    assert client.get(f"/api/workflows/{workflow}").body["steps"] == posted
    for number, sent in enumerate(posted):
        identifier = steps_of(client, build)[sent["name"]]["id"]
        program = client.get(f"/api/runner/{identifier}").body
        ran = run(program, tmp_path / str(number))
        assert not list(tmp_path.rglob("canary")), program
        printed, _, said = ran.stdout.partition(b"\0\xc2\xbb")
        seen = environment_of(printed)
        assert {name: seen.get(name) for name in sent["env"]} == sent["env"]
        assert (seen["STEP_NAME"], seen["GIT_BRANCH"], seen["PROJECT_ID"]) == (sent["name"], branch, project)
        assert (ran.returncode, ran.stderr) == (1, b""), said
        for path in sent["outputPaths"]:
            assert f"declared output is missing: {path}\n".encode() in ran.stdout
        runner, key = f"r{hostile(rng, 100)}".strip(), hostile(rng, 100) or "k"
        assert claim(client, identifier, runner, key=key, heartbeats=True).status == 200
        log = hostile(rng, 50_000)
        assert complete(client, identifier, status="success", attempt=1, logs=log, outputPaths=[log]).status == 200
        assert client.get(f"/api/steps/{identifier}").body["runner"] == runner
        assert client.get(f"/api/steps/{identifier}/log").body == log.encode()
    shown = client.get(f"/api/builds/{build}").body
    assert (shown["status"], shown["branch"]) == ("SUCCESS", branch)
    assert {name: shown[name] for name in texts} == texts
    assert (
        json.dumps(client.get(f"/api/audit-logs?projectId={project}&limit=1000").body).count("step.completed") == STEPS
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_what_git_is_given_is_never_run_either(client: Client, tmp_path: Path, seed: int) -> None:
    """Repositories and branches of the characters that these may have: git looks for them, in vain."""
    rng = random.Random(seed)
    client.created("/api/docker-images", {"slug": "i", "imageUrl": "i"})
    project = new_project(client, "p")
    only = {"name": "s", "imageSlug": "i", "dependsOn": [], "runScript": "env -0", "cacheDirs": [], "outputPaths": []}
    workflow = new_workflow(client, project, [only])
    for number in range(FETCHES):
        url = "https://127.0.0.1:1/" + "".join(rng.choices(IN_URLS, k=20))
        branch = "b" + "".join(rng.choices(IN_BRANCHES, k=20))
        build = new_build(client, project, workflow, repoUrl=url, branch=branch)
        program = client.get(f"/api/runner/{steps_of(client, build)['s']['id']}").body
        ran = run(program, tmp_path / str(number))
        assert ran.returncode == 1, ran
        assert f"» checking out branch {branch} of {url}\n".encode() in ran.stdout
        assert f"» checkout failed: the branch {branch} cannot be read\n".encode() in ran.stdout
    assert not list(tmp_path.rglob("canary"))
