"""Documents that are generated are current, examples validate, every field is explained, and no link is dead."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.cli.workflow_file import ALIASES, STEP_FIELDS, read_workflow_file
from config.settings import Settings, variables
from docs import settings as settings_document

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    page for pattern in ("*.md", "docs/**/*.md", "examples/**/*.md") for page in ROOT.glob(pattern) if page.is_file()
)


def yaml_blocks() -> Iterator[tuple[str, str]]:
    """Where each YAML example stands, and its text."""
    for page in PAGES:
        for number, block in enumerate(re.findall(r"^```yaml\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)):
            yield f"{page.relative_to(ROOT)} {number}", block


YAML = dict(yaml_blocks())


def test_the_page_of_settings_is_current() -> None:
    current = settings_document.document()
    assert settings_document.DOCUMENT.read_text() == current, "run python -m docs.settings"


def test_every_setting_has_a_sentence_and_no_sentence_is_left_over() -> None:
    assert set(settings_document.PURPOSES) == {name for name, _ in variables()}
    assert [name for name, purpose in settings_document.PURPOSES.items() if not purpose.endswith(".")] == []


@pytest.mark.parametrize("place", YAML)
def test_every_yaml_example_validates(place: str, tmp_path: Path, settings: Settings) -> None:
    path = tmp_path / "flow.yml"
    path.write_text(YAML[place])
    read_workflow_file(path, settings)


def test_every_field_of_a_step_is_explained_and_shown() -> None:
    page = (ROOT / "docs" / "workflow-file.md").read_text()
    examples = "".join(block for place, block in YAML.items() if "workflow-file" in place)
    unexplained = {field for field in STEP_FIELDS if f"### `{field}`" not in page} - set(ALIASES.values())
    assert unexplained == set()
    assert [field for field in STEP_FIELDS if not re.search(rf"\b{field}:", examples)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_inside_the_repository_leads_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)[^)]*\)|(?:src|srcset)=\"([^\"]+)\"", page.read_text())
    local = [target for pair in targets for target in pair if target and "://" not in target]
    assert [target for target in local if not (page.parent / target).exists()] == []
