"""The served OpenAPI document holds everything the contract does: `contract.json`, its facts without the prose."""

from collections.abc import Iterator
from typing import Any

from tests.api.contract import CONTRACT, resolved
from tests.api.served import Client

EXACT = ("type", "format", "enum", "minLength", "maxLength", "default")


def test_the_served_document_is_a_superset_of_the_contract(client: Client) -> None:
    served = client.get("/openapi.json").body
    assert list(differences(served)) == []


def test_the_comparison_finds_what_is_missing(client: Client) -> None:
    served = client.get("/openapi.json").body
    del served["paths"]["/api/projects"]["post"]["responses"]["400"]
    del served["components"]["schemas"]["Build"]["properties"]["branch"]
    found = " ".join(differences(served))
    assert "POST /api/projects 400" in found
    assert "branch" in found


def differences(served: dict[str, Any]) -> Iterator[str]:
    """What the contract says and the served document does not, or says otherwise."""
    for path, operations in CONTRACT["paths"].items():
        for method, wanted in operations.items():
            where = f"{method.upper()} {path}"
            item = served["paths"].get(path, {})
            if method not in item:
                yield f"{where} is missing"
            else:
                yield from of_operation(where, wanted, item[method], item.get("parameters", []), served)


def of_operation(where: str, wanted: Any, operation: Any, shared: list[Any], served: Any) -> Iterator[str]:
    parameters = {(p["in"], p["name"]): p for p in [*shared, *operation.get("parameters", [])]}
    for parameter in wanted.get("parameters", []):
        actual = parameters.get((parameter["in"], parameter["name"]))
        if actual is None or actual.get("required", False) != parameter.get("required", False):
            yield f"{where} parameter {parameter['name']}: {actual}"
        else:
            yield from of_schema(f"{where} {parameter['name']}", parameter["schema"], actual["schema"], served)
    if "requestBody" in wanted:
        yield from of_content(f"{where} body", wanted["requestBody"], operation.get("requestBody", {}), served)
    for status, response in wanted["responses"].items():
        actual = resolved(operation["responses"].get(status, {}), served)
        yield from of_content(f"{where} {status}", response, actual, served)


def of_content(where: str, wanted: Any, actual: Any, served: Any) -> Iterator[str]:
    for kind, content in wanted["content"].items():
        if kind not in actual.get("content", {}):
            yield f"{where} has no {kind}"
        else:
            yield from of_schema(where, content["schema"], actual["content"][kind]["schema"], served)


def of_schema(where: str, wanted: Any, actual: Any, served: Any) -> Iterator[str]:
    wanted, actual = resolved(wanted, CONTRACT), resolved(actual, served)
    for key in EXACT:
        if key in wanted and wanted[key] != actual.get(key):
            yield f"{where}: {key} is {actual.get(key)}, not {wanted[key]}"
    if missing := set(wanted.get("required", [])) ^ set(actual.get("required", [])) if "required" in wanted else set():
        yield f"{where}: required differs in {sorted(missing)}"
    for name, schema in wanted.get("properties", {}).items():
        if name not in actual.get("properties", {}):
            yield f"{where} has no {name}"
        else:
            yield from of_schema(f"{where}.{name}", schema, actual["properties"][name], served)
    if "items" in wanted:
        yield from of_schema(f"{where}[]", wanted["items"], actual.get("items", {}), served)
