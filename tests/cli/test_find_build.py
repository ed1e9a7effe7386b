"""The beginning of a build's id in the place of all of it."""

import pytest

from app.cli.client import ApiClient
from app.cli.errors import UsageFault
from app.cli.find_build import CANDIDATES, PAGE, whole_id
from app.cli.main import main
from tests.cli.test_progress import build_json, step_json
from tests.support.scripted_server import Script

ONE, TWO, OLD = (f"{start}-74a9-9d95-8e2dea09535f" for start in ("01a20f0c-deac", "01a20f0c-deab", "01900000-0000"))


def pages(script: Script, *found: list[str]) -> None:
    """The creations of builds, newest first; a page that is not the last one is filled up with its last build's."""
    for number, ids in enumerate(found):
        filled = ids + ids[-1:] * (PAGE - len(ids)) if number < len(found) - 1 else ids
        entries = [
            {"id": each, "action": "build.created", "createdAt": "2026-01-01T00:00:00Z", "details": {"buildId": each}}
            for each in filled
        ]
        path = f"/api/audit-logs?action=build.created&limit={PAGE}&offset={number * PAGE}"
        script.answer("GET", path, {"auditLogs": entries})


@pytest.mark.parametrize("beginning", [ONE[:13], ONE[:13].upper(), ONE[:-1]])
def test_a_beginning_that_only_one_has_stands_for_it(client: ApiClient, script: Script, beginning: str) -> None:
    pages(script, [ONE, TWO, OLD])
    assert whole_id(client, beginning) == ONE


def test_an_old_build_is_looked_for_until_ids_are_older(client: ApiClient, script: Script) -> None:
    pages(script, [ONE], [OLD], ["01800000"], ["01700000"])
    assert whole_id(client, "0190") == OLD
    assert len(script.received) == 3


def test_a_build_that_new_ones_push_to_the_next_page_meanwhile_counts_once(client: ApiClient, script: Script) -> None:
    pages(script, [ONE], [ONE, OLD])
    assert whole_id(client, "01a2") == ONE


def test_a_beginning_that_several_have_is_refused_with_the_candidates(client: ApiClient, script: Script) -> None:
    pages(script, [ONE, TWO, OLD])
    with pytest.raises(UsageFault) as caught:
        whole_id(client, "01a2")
    told, *candidates = str(caught.value).splitlines()
    assert told == "'01a2' begins the ids of several builds; give more of the one that is meant:"
    assert [line.split()[0] for line in candidates] == [ONE, TWO]
    assert all(line.endswith(" ago") for line in candidates)


def test_many_candidates_are_not_all_listed(client: ApiClient, script: Script) -> None:
    pages(script, [f"01a20f0c-{number:04}" for number in range(CANDIDATES + 5)])
    with pytest.raises(UsageFault) as caught:
        whole_id(client, "01a2")
    assert str(caught.value).splitlines()[CANDIDATES:] == [
        f"  01a20f0c-{CANDIDATES - 1:04}  {_age(caught)}",
        "  and more",
    ]


def _age(caught: pytest.ExceptionInfo[UsageFault]) -> str:
    return str(caught.value).splitlines()[1].split("  ")[-1]


@pytest.mark.parametrize("wanted", ["01a", ONE])
def test_what_is_too_short_or_whole_is_sent_as_it_is(client: ApiClient, script: Script, wanted: str) -> None:
    assert whole_id(client, wanted) == wanted
    assert script.received == []


def test_what_begins_no_builds_id_is_told_by_the_name_it_was_given(
    client: ApiClient, script: Script, capsys: pytest.CaptureFixture[str]
) -> None:
    pages(script, [ONE])
    assert main(["show", "abcd", "--server", client.server_url]) == 3
    assert capsys.readouterr().err.startswith("buildserver: no build 'abcd' at ")


@pytest.mark.parametrize("command", ["show", "logs"])
def test_every_command_that_takes_an_id_takes_its_beginning(
    client: ApiClient, script: Script, command: str, capfd: pytest.CaptureFixture[str]
) -> None:
    pages(script, [ONE, OLD])
    script.answer("GET", f"/api/builds/{ONE}", build_json("SUCCESS", step_json("a", "SUCCESS")))
    script.answer("GET", "/api/steps/id-a/log", b"printed\n")
    assert main([command, ONE[:4], "--server", client.server_url]) == 0
    assert ("printed" if command == "logs" else "1 succeeded") in capfd.readouterr().out
