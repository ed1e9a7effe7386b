"""Readers of single YAML values, strict about types: what a field may hold is said by composing these.

A reader takes a node and its path, notes what is wrong, and returns the plain value, or None where there is none to
return. YAML's guesses are not followed: `5`, `yes` and `1.10` are no text, and a person is told to quote them.
"""

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import yaml

from app.cli.yaml_nodes import FileFault

STRING = "tag:yaml.org,2002:str"
INTEGER = "tag:yaml.org,2002:int"
NULL = "tag:yaml.org,2002:null"
BOOLEAN = "tag:yaml.org,2002:bool"
BOOLEANS = {"true": True, "false": False}
KIND_WORDS = {yaml.MappingNode: "fields", yaml.SequenceNode: "a list", yaml.ScalarNode: "a single value"}


class Reading:
    """One pass over one document: the faults met so far, and where each path stands in the file."""

    def __init__(self) -> None:
        self.faults: list[FileFault] = []
        self._places: dict[str, tuple[int, int]] = {}

    def visit(self, node: yaml.Node, path: str) -> None:
        self._places[path] = (node.start_mark.line + 1, node.start_mark.column + 1)

    def has(self, path: str) -> bool:
        """Whether the document has something there, be it at fault or not."""
        return path in self._places

    def fault(self, node: yaml.Node, path: str, message: str) -> None:
        self.visit(node, path)
        self.fault_at(path, message)

    def fault_at(self, path: str, message: str) -> None:
        """Note a fault of a path that was visited, or of the nearest visited path around it."""
        around = path
        while around and around not in self._places:
            around = re.sub(r"(^|\.)[^.\[]+$|\[\d+\]$", "", around)
        line, column = self._places.get(around, (1, 1))
        self.faults.append(FileFault(line, column, path, message))


Reader = Callable[[Reading, yaml.Node, str], Any]


Check = Callable[[str], str | None]


def text(max_length: int | None = None, check: Check | None = None) -> Reader:
    """Text that is not blank. `check` answers what is wrong with a value, as a sentence about it, or None."""

    def read(reading: Reading, node: yaml.Node, path: str) -> str | None:
        value = _scalar(reading, node, path, STRING, "text")
        if value is None:
            return None
        if not value.strip():
            reading.fault(node, path, "must not be empty")
        elif max_length is not None and len(value.strip()) > max_length:
            reading.fault(node, path, f"must be at most {max_length} characters long, and has {len(value.strip())}")
        elif check is not None and (wrong := check(value)):
            reading.fault(node, path, f"{value!r} {wrong}")
        return value

    return read


def any_text(reading: Reading, node: yaml.Node, path: str) -> str | None:
    return _scalar(reading, node, path, STRING, "text")


def integer(least: int, most: int) -> Reader:
    def read(reading: Reading, node: yaml.Node, path: str) -> int | None:
        value = _scalar(reading, node, path, INTEGER, "a whole number")
        if value is None:
            return None
        if not re.fullmatch(r"-?\d{1,18}", value) or not least <= int(value) <= most:
            reading.fault(node, path, f"must be a whole number from {least} to {most}, not {value}")
            return None
        return int(value)

    return read


def boolean(reading: Reading, node: yaml.Node, path: str) -> bool | None:
    value = _scalar(reading, node, path, BOOLEAN, "true or false")
    if value is None:
        return None
    if value.lower() not in BOOLEANS:
        reading.fault(node, path, f"must be true or false, not {value}")
    return BOOLEANS.get(value.lower())


def one_of(*choices: str) -> Reader:
    def read(reading: Reading, node: yaml.Node, path: str) -> str | None:
        value = _scalar(reading, node, path, STRING, "one of " + ", ".join(choices))
        if value is not None and value not in choices:
            reading.fault(
                node, path, f"must be one of {', '.join(choices)}, not {value!r}{did_you_mean(value, choices)}"
            )
        return value

    return read


def list_of(item: Reader) -> Reader:
    def read(reading: Reading, node: yaml.Node, path: str) -> list[Any] | None:
        if not isinstance(node, yaml.SequenceNode):
            reading.fault(node, path, f"must be a list, not {_kind(node)}")
            return None
        reading.visit(node, path)
        return [item(reading, child, f"{path}[{index}]") for index, child in enumerate(node.value)]

    return read


def map_of_text(check_name: Check) -> Reader:
    """Names to text, such as environment variables; each name once, and none that `check_name` refuses."""

    def read(reading: Reading, node: yaml.Node, path: str) -> dict[str, str] | None:
        """What was read, without the names whose value is at fault."""
        pairs = _pairs(reading, node, path)
        if pairs is None:
            return None
        for name in pairs:
            if wrong := check_name(name):
                reading.fault_at(_join(path, name), f"{name!r} {wrong}")
        read = {name: any_text(reading, child, _join(path, name)) for name, child in pairs.items()}
        return {name: value for name, value in read.items() if value is not None}

    return read


NO_NAMES: Mapping[str, str] = {}


def fields(
    what: str, known: Mapping[str, Reader], required: Iterable[str] = (), elsewhere: Mapping[str, str] = NO_NAMES
) -> Reader:
    """Exactly the known fields, each once; `what` is the thing's name in messages (`a step`).

    `elsewhere` says which field a person means by a name that other build servers give it.
    """

    def read(reading: Reading, node: yaml.Node, path: str) -> dict[str, Any] | None:
        """The known fields that are there and faultless; each other one has become a fault."""
        pairs = _pairs(reading, node, path)
        if pairs is None:
            return None
        for name in set(pairs) - set(known):
            hint = _meant(elsewhere.get(name)) or did_you_mean(name, known) or f"; {what} has {', '.join(known)}"
            del pairs[name]
            reading.fault_at(_join(path, name), f"unknown field{hint}")
        for name in set(required) - set(pairs):
            reading.fault_at(_join(path, name), f"is missing; {what} needs it")
        values = {name: known[name](reading, child, _join(path, name)) for name, child in pairs.items()}
        return {name: value for name, value in values.items() if value is not None}

    return read


def did_you_mean(word: str, known: Iterable[str]) -> str:
    return _meant(next(iter(difflib.get_close_matches(word, list(known), n=1)), None))


def _meant(word: str | None) -> str:
    return f"; did you mean {str(word)!r}?" if word else ""


def _pairs(reading: Reading, node: yaml.Node, path: str) -> dict[str, yaml.Node] | None:
    if not isinstance(node, yaml.MappingNode):
        reading.fault(node, path, f"must have fields (name: value), not be {_kind(node)}")
        return None
    reading.visit(node, path)
    pairs: dict[str, yaml.Node] = {}
    for key, child in node.value:
        if not isinstance(key, yaml.ScalarNode):
            reading.fault(key, path, "a field's name must be text")
        elif key.value in pairs:
            reading.fault(key, _join(path, key.value), "is given twice")
        else:
            reading.visit(key, _join(path, key.value))
            pairs[key.value] = child
    return pairs


def _scalar(reading: Reading, node: yaml.Node, path: str, tag: str, wanted: str) -> str | None:
    if not isinstance(node, yaml.ScalarNode):
        reading.fault(node, path, f"must be {wanted}, not {_kind(node)}")
        return None
    if node.tag != tag:
        reading.fault(node, path, f"must be {wanted}, not {_mistaken(node, tag)}")
        return None
    reading.visit(node, path)
    return str(node.value)


def _mistaken(node: yaml.ScalarNode, wanted: str) -> str:
    """A value of another type than is wanted, and what to do if the quotation marks alone are wrong."""
    if wanted == STRING and node.value:
        return f'{node.value}; write "{node.value}" in quotes if text is meant'
    if node.tag == STRING and node.style:
        return f"the text {node.value!r}; write it without quotes"
    return node.value or "empty"


def _kind(node: yaml.Node) -> str:
    return "empty" if node.tag == NULL else KIND_WORDS[type(node)]


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
