"""A user or password in a repository's URL reaches the step's checkout, and no other answer, audit entry or log."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.api.served import Client
from tests.api.world import claim, complete, new_build, steps_of

SHOWN = {
    "https://app:s3cret@git.example/a.git": "https://***@git.example/a.git",
    "https://s3cret@git.example/a.git": "https://***@git.example/a.git",
    "https://app:it's-s3cret@git.example/a.git": "https://***@git.example/a.git",
    "ssh://git:s3cret@git.example/a.git": "ssh://***@git.example/a.git",
}
AS_POSTED = ("https://git.example/a.git", "ssh://git@git.example/a.git", "git@git.example:acme/a.git")


@pytest.mark.parametrize("url", SHOWN)
def test_a_password_is_given_to_the_checkout_and_shown_nowhere_else(
    client: Client, project: str, workflow: str, url: str, logged: Callable[[], list[dict[str, Any]]]
) -> None:
    build = {"workflowId": workflow, "repoUrl": url}
    answers = [client.send("POST", f"/api/projects/{project}/builds", build, Idempotency_Key="k") for _ in range(2)]
    assert [answer.body["repoUrl"] for answer in answers] == [SHOWN[url]] * 2
    made = new_build(client, project, workflow, repoUrl=url)
    step = steps_of(client, made)["a"]["id"]
    answers += [claim(client, step), complete(client, step, status="success", logs="done")]
    answers += [client.get(path) for path in paths(project, workflow, made, step)]
    assert {answer.status for answer in answers} <= {200, 201}
    assert [answer for answer in answers if "s3cret" in everything(answer.body)] == []
    assert client.get(f"/api/builds/{made}").body["repoUrl"] == SHOWN[url]
    assert "s3cret" in client.get(f"/api/runner/{step}").body.decode()
    assert "s3cret" not in json.dumps(logged())


@pytest.mark.parametrize("url", AS_POSTED)
def test_a_url_that_lets_nobody_in_is_shown_as_it_was_posted(
    client: Client, project: str, workflow: str, url: str
) -> None:
    made = new_build(client, project, workflow, repoUrl=url)
    assert client.get(f"/api/builds/{made}").body["repoUrl"] == url


@pytest.mark.parametrize("fault", [{"branch": "-x"}, {"repoUrl": "https://app:s3cret@ git.example/a.git"}], ids=str)
def test_a_refusal_does_not_repeat_it(client: Client, project: str, workflow: str, fault: dict[str, str]) -> None:
    body = {"workflowId": workflow, "repoUrl": "https://app:s3cret@git.example/a.git", **fault}
    answer = client.post(f"/api/projects/{project}/builds", body)
    assert (answer.status, "s3cret" in everything(answer.body)) == (400, False)


def paths(project: str, workflow: str, build: str, step: str) -> tuple[str, ...]:
    """Everything that can be read and speaks of the build."""
    return (
        "/api/projects?accountId=acme",
        f"/api/projects/{project}/builds",
        f"/api/projects/{project}/workflows",
        f"/api/workflows/{workflow}",
        f"/api/builds/{build}",
        f"/api/steps/{step}",
        f"/api/steps/{step}/attempts",
        f"/api/steps/{step}/log",
        "/api/audit-logs?limit=1000",
    )


def everything(body: Any) -> str:
    return body.decode() if isinstance(body, bytes) else json.dumps(body)
