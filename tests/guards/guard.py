"""What a guard is: a place in the product's text, what stands there when it is taken out, and the tests that notice."""

from dataclasses import dataclass
from pathlib import Path

CONTRACTS = "lint-imports"
"""In place of tests: the contracts of imports notice."""


@dataclass(frozen=True)
class Guard:
    """`text` stands once in `file`; `without` takes its place. `tests` is the smallest selection that must go red."""

    name: str
    file: str
    text: str
    without: str
    tests: tuple[str, ...]

    def is_found_in(self, root: Path) -> bool:
        """Whether the table still knows the product."""
        return (root / self.file).read_text().count(self.text) == 1

    def taken_out(self, text: str) -> str:
        """The file's text without the guard."""
        return text.replace(self.text, self.without)
