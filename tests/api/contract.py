"""The contract, and whether a value has the form a schema of it asks for."""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

CONTRACT = json.loads(Path(__file__).with_name("contract.json").read_text())
TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "object": dict,
    "array": list,
    "boolean": bool,
    "integer": int,
}


def operations() -> Iterator[tuple[str, Any]]:
    """Each operation's name, such as `GET /api/projects`, and what the contract says of it."""
    for path, methods in CONTRACT["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def documented() -> set[tuple[str, int]]:
    """Every operation with every status it documents."""
    return {(name, int(status)) for name, operation in operations() for status in operation["responses"]}


def schema_of(operation: str, status: int) -> Any:
    """The schema of the JSON this operation answers with; None where that is plain text."""
    content = resolved(dict(operations())[operation]["responses"][str(status)], CONTRACT)["content"]
    return content["application/json"]["schema"] if "application/json" in content else None


def resolved(schema: Any, document: Any) -> Any:
    """The schema itself where there is a reference to it, also one that has a description beside it."""
    if "allOf" in schema:
        (schema,) = schema["allOf"]
    while "$ref" in schema:
        *folders, name = schema["$ref"].removeprefix("#/").split("/")
        place = document
        for folder in folders:
            place = place[folder]
        schema = place[name]
    return schema


def misfits(value: Any, schema: Any, where: str = "") -> list[str]:
    """Where the value is not of the schema's form; null is nowhere of any. Fields the contract lacks are left out."""
    schema = resolved(schema, CONTRACT)
    if not _is_of_type(value, schema):
        return [f"{where}: {value!r} is not {schema}"]
    found = []
    for name in value.keys() & schema.get("properties", {}).keys() if isinstance(value, dict) else ():
        found += misfits(value[name], schema["properties"][name], f"{where}.{name}")
    for index, item in enumerate(value if isinstance(value, list) else ()):
        found += misfits(item, schema["items"], f"{where}[{index}]")
    return found


def _is_of_type(value: Any, schema: Any) -> bool:
    if not isinstance(value, TYPES[schema["type"]]) or (isinstance(value, bool) and schema["type"] == "integer"):
        return False
    if schema.get("format") == "date-time" and datetime.fromisoformat(str(value)).utcoffset() is None:
        return False
    return value in schema.get("enum", [value])
