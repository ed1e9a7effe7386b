"""YAML as nodes that know their line and column, from text that nobody has vetted.

Safe by construction: the document is only composed, never turned into Python objects; aliases are refused (a bomb of
a few hundred bytes needs them), and so are files over the size limit and nesting over the depth limit.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from app.cli.errors import UsageFault

SIZE_LIMIT_BYTES = 1024 * 1024  # the server takes no larger request body
DEPTH_LIMIT = 64  # composing is recursive; a workflow needs five
ADVICE = {
    "mapping values are not allowed here": "put text that holds ': ' in quotes, or below `|`",
    "expected <block end>": "indent it as the lines that it belongs to",
    "character '\\t'": "indent with blanks, not with tabs",
    "could not find expected ':'": "is it text that should be indented below a `|`?",
    "unexpected end of stream": "a quotation mark is opened here and not closed",
    "found another document": "a file has one workflow, so no second `---`",
}
"""What a person should do about the parser's most common complaints, by words of theirs."""
AT_ITS_BEGINNING = {"could not find expected ':'", "unexpected end of stream"}
"""The parser notices these where it gives up; what is wrong is where it began."""


@dataclass(frozen=True, order=True)
class FileFault:
    """One thing wrong with a file. Line and column count from 1; `field` is a path such as `steps[2].run`, or empty."""

    line: int
    column: int
    field: str
    message: str

    def text(self, file_name: str) -> str:
        where = f"{file_name}:{self.line}:{self.column}: "
        return f"{where}{self.field}: {self.message}" if self.field else where + self.message


class FileFaults(UsageFault):
    """Everything wrong with one file, in the order of its lines, one line of text each."""

    prefix = ""

    def __init__(self, file_name: str, faults: list[FileFault]) -> None:
        self.faults = sorted(faults)
        super().__init__("\n".join(fault.text(file_name) for fault in self.faults))


class _NodeLoader(yaml.SafeLoader):
    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Refuse what is unsafe before it is composed; the mark shows where it begins."""
        peek: Callable[[], Any] = self.peek_event
        mark = peek().start_mark
        if self.check_event(yaml.AliasEvent):
            raise yaml.MarkedYAMLError(problem="aliases are not allowed here; write it out", problem_mark=mark)
        if self.depth == DEPTH_LIMIT:
            raise yaml.MarkedYAMLError(problem=f"nested more than {DEPTH_LIMIT} deep", problem_mark=mark)
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


def compose_file(path: Path) -> yaml.Node:
    """The file's one document. Raises UsageFault where it cannot be read, FileFaults where it is no YAML."""
    text = _read_text(path)
    try:
        node = yaml.compose(text, Loader=_NodeLoader)
    except yaml.MarkedYAMLError as error:
        raise FileFaults(str(path), [_syntax_fault(error)]) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        message = f"the character U+{error.character:04X} is not allowed in YAML"
        raise FileFaults(str(path), [FileFault(line, 1, "", message)]) from error
    if node is None:
        raise FileFaults(str(path), [FileFault(1, 1, "", "the file is empty; a workflow has a name and steps")])
    return node


def _read_text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(SIZE_LIMIT_BYTES + 1)
    except OSError as error:
        raise UsageFault(f"{path}: {error.strerror}") from error
    if len(content) > SIZE_LIMIT_BYTES:
        raise UsageFault(
            f"{path}: larger than {SIZE_LIMIT_BYTES // 1024} KiB, which is the most a workflow file may be"
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise FileFaults(str(path), [FileFault(line, 1, "", "the file is not UTF-8 text")]) from error


def _syntax_fault(error: yaml.MarkedYAMLError) -> FileFault:
    problem = error.problem or error.context or "it cannot be read"
    sign = next((sign for sign in ADVICE if sign in problem), "")
    mark = error.context_mark if sign in AT_ITS_BEGINNING else error.problem_mark
    mark = mark or error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    return FileFault(line, column, "", f"not valid YAML: {problem}" + (f"; {ADVICE[sign]}" if sign else ""))
