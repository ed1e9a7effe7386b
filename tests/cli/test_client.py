"""The REST client: what it sends, and what it makes of refusals, nonsense and silence."""

import socket

import pytest

from app.cli.client import ApiClient
from app.cli.errors import Refused, ServerUnreachable, UsageFault
from tests.cli.conftest import Script


def test_a_server_that_is_not_there_is_one_line_that_says_what_to_do() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(ServerUnreachable) as caught:
            ApiClient(url).projects("local")
    expected = f"no Build Server answers at {url} (connection refused); start one with `buildserver up`"
    assert str(caught.value) == expected


@pytest.mark.parametrize("url", ["localhost:3000", "ftp://x", ""])
def test_an_address_that_is_no_url_is_refused_before_anything_is_sent(url: str) -> None:
    with pytest.raises(UsageFault, match="is no server address"):
        ApiClient(url)


def test_a_name_that_does_not_exist_is_said_to_be_unknown() -> None:
    with pytest.raises(ServerUnreachable, match="its name is unknown"):
        ApiClient("http://buildserver.invalid").projects("local")


def test_a_refusal_shows_the_servers_words_and_every_detail(client: ApiClient, script: Script) -> None:
    details = [{"path": "repoUrl", "code": "bad", "message": "must be a URL"}, {"path": "", "message": "and so on"}]
    script.answer("POST", "/api/projects", {"error": "invalid request", "details": details}, status=400)
    with pytest.raises(Refused) as caught:
        client.create_project("local", "x")
    assert str(caught.value) == "invalid request\n  repoUrl: must be a URL\n  and so on"
    assert caught.value.status == 400


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'"text"', b"{}"])
def test_an_error_of_something_else_is_not_taken_for_the_servers(
    client: ApiClient, script: Script, body: bytes
) -> None:
    script.answer("GET", "/api/projects?accountId=local", body, status=502)
    with pytest.raises(Refused, match="answered 502 and is no Build Server"):
        client.projects("local")


def test_an_answer_that_is_no_json_is_not_taken_for_the_servers(client: ApiClient, script: Script) -> None:
    script.answer("GET", "/api/projects?accountId=local", b"<html>hello</html>")
    with pytest.raises(Refused, match="is no Build Server"):
        client.projects("local")


def test_ids_cannot_change_the_path(client: ApiClient, script: Script) -> None:
    with pytest.raises(Refused):
        client.build("../projects?x=1")
    assert script.received[0].path == "/api/builds/..%2Fprojects%3Fx%3D1"


def test_a_step_without_a_log_has_an_empty_one(client: ApiClient) -> None:
    assert client.step_log("none") == b""
