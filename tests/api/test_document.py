"""The OpenAPI document reads well to a stranger, and the docs page that shows it needs nobody but this server."""

import re
import warnings
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import pytest

from app.api.application import create_app
from app.models.database import Database
from config.settings import Settings
from tests.api.world import World


@pytest.fixture
def document(settings: Settings) -> dict[str, Any]:
    """Made without a warning: two schemas under one name, say, would be one."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        app = create_app(settings, Database("sqlite://"), lambda: None)
        made: dict[str, Any] = app.test_client().get("/openapi.json").get_json()
    return made


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method != "parameters":
                yield f"{method.upper()} {path}", {**operation, "shared": item.get("parameters", [])}


def described(schema: Any, where: str) -> Iterator[str]:
    """Fields anywhere in the schema that nobody described."""
    for name, field in schema.get("properties", {}).items():
        if not field.get("description"):
            yield f"{where}.{name}"
        yield from described(field, f"{where}.{name}")


def test_title_and_version_are_the_program_s(document: dict[str, Any]) -> None:
    info = document["info"]
    assert (info["title"], info["version"]) == ("Build Server API", version("buildserver"))
    assert info["description"]


def test_every_operation_says_what_it_does_and_has_a_name_of_its_own(document: dict[str, Any]) -> None:
    found = dict(operations(document))
    assert [name for name, operation in found.items() if not operation.get("summary")] == []
    assert [name for name, operation in found.items() if not operation.get("description")] == []
    assert len({operation["operationId"] for operation in found.values()}) == len(found)


def test_every_parameter_and_every_answer_is_described(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        for parameter in [*operation["shared"], *operation.get("parameters", [])]:
            assert parameter.get("description"), (name, parameter)
        for status, answer in operation["responses"].items():
            assert answer.get("description"), (name, status)


def test_every_field_is_described(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"].items()
    assert [field for name, schema in schemas for field in described(schema, name)] == []


def test_every_schema_is_used_and_every_tag_described(document: dict[str, Any]) -> None:
    used = set(re.findall(r"#/components/schemas/(\w+)", str(document)))
    assert set(document["components"]["schemas"]) == used
    tags = {tag["name"]: tag["description"] for tag in document["tags"]}
    assert all(tags.values())
    assert {tag for _, operation in operations(document) for tag in operation["tags"]} == set(tags)


def test_the_page_names_only_files_of_this_server_and_they_are_there(world: World) -> None:
    page = world.client.get("/docs/")
    assert page.headers["Content-Type"].startswith("text/html")
    named = re.findall(r'(?:src|href)="([^"]*)"', page.body.decode())
    start = world.client.get("/docs/start.js").body.decode()
    named += re.findall(r'url: "([^"]*)"', start)
    assert len(named) == 5
    assert all(name.startswith("/") and not name.startswith("//") for name in named)
    assert [world.client.get(name).status for name in named] == [200] * len(named)
    assert "validatorUrl: null" in start


def test_the_page_s_policy_forbids_every_other_origin(world: World) -> None:
    for path in ("/docs/", "/docs/start.js", "/docs/swagger-ui-bundle.js"):
        policy = world.client.get(path).headers["Content-Security-Policy"]
        words = dict(part.strip().split(" ", 1) for part in policy.split(";"))
        assert words["default-src"] == "'none'"
        assert words["script-src"] == "'self'"
        sources = {source for named in words.values() for source in named.split()}
        assert sources <= {"'none'", "'self'", "'unsafe-inline'", "data:"}


def test_there_is_no_script_inside_the_page(world: World) -> None:
    scripts = re.findall(r"<script[^>]*>(.*?)</script>", world.client.get("/docs/").body.decode())
    assert scripts == ["", ""]


@pytest.mark.parametrize("name", ["LICENSE", "../app.py", "..%2f__init__.py", "swagger-ui.js.map"])
def test_no_other_file_is_served(world: World, name: str) -> None:
    assert world.client.get(f"/docs/{name}").status == 404


def test_the_root_leads_to_the_page(world: World) -> None:
    answer = world.client.get("/")
    assert (answer.status, answer.headers["Location"]) == (302, "/docs/")
