"""The domain decides with the standard library alone; the import contracts can only forbid what they can name."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

DOMAIN = Path(__file__).parents[2] / "app" / "domain"


def imported_by(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        if isinstance(node, ast.ImportFrom):
            yield node.module or "."


def allowed(module: str) -> bool:
    return module.startswith("app.domain") or module.split(".", maxsplit=1)[0] in sys.stdlib_module_names


def test_the_domain_imports_the_standard_library_and_itself_only() -> None:
    files = sorted(DOMAIN.rglob("*.py"))
    strangers = [(path.name, module) for path in files for module in imported_by(path) if not allowed(module)]
    assert files
    assert strangers == []
