"""The workflow file: what it may say, and where a fault is pointed out."""

from pathlib import Path

import pytest

from app.cli.errors import UsageFault
from app.cli.workflow_file import DEFAULT_IMAGE, NAMES_ELSEWHERE, STEP_FIELDS, WorkflowFile, read_workflow_file
from app.cli.yaml_nodes import SIZE_LIMIT_BYTES, FileFaults
from config.settings import Settings

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.yml"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "flow.yml"


def read(path: Path, text: str, settings: Settings) -> WorkflowFile:
    path.write_text(text)
    return read_workflow_file(path, settings)


def faults(path: Path, text: str | bytes, settings: Settings) -> list[str]:
    """The faults' lines without the folder."""
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(FileFaults) as caught:
        read_workflow_file(path, settings)
    return str(caught.value).replace(str(path), path.name).splitlines()


def step(lines: str) -> str:
    """A workflow with one step that has a name and a script, and the given lines as its lines 4 and after."""
    return "steps:\n- name: a\n  run: 'true'\n" + "".join(f"  {line}\n" for line in lines.splitlines())


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_every_example_is_faultless(example: Path, settings: Settings) -> None:
    assert read_workflow_file(example, settings).steps


def test_run_and_image_become_the_fields_of_the_api(path: Path, settings: Settings) -> None:
    workflow = read(path, step("image: alpine:3.20\ntimeoutSeconds: 5\nallowFailure: true"), settings)
    assert workflow.images() == ["alpine:3.20"]
    assert workflow.payload({"alpine:3.20": "alpine-3.20"}) == [
        {
            "name": "a",
            "runScript": "true",
            "imageSlug": "alpine-3.20",
            "dependsOn": [],
            "cacheDirs": [],
            "outputPaths": [],
            "timeoutSeconds": 5,
            "allowFailure": True,
        }
    ]


def test_a_step_without_an_image_gets_the_default_one(path: Path, settings: Settings) -> None:
    assert read(path, step(""), settings).images() == [DEFAULT_IMAGE]


def test_a_slug_that_is_given_is_sent_as_it_is(path: Path, settings: Settings) -> None:
    workflow = read(path, step("imageSlug: mine"), settings)
    assert workflow.images() == []
    assert workflow.payload({})[0]["imageSlug"] == "mine"


def test_a_workflow_without_a_name_is_called_after_its_file(path: Path, settings: Settings) -> None:
    assert read(path, "steps: []", settings).name == "flow"


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        ("dependson: []", "flow.yml:4:3: steps[0].dependson: unknown field; did you mean 'dependsOn'?"),
        ("script: x", "flow.yml:4:3: steps[0].script: unknown field; did you mean 'run'?"),
        ("needs: []", "flow.yml:4:3: steps[0].needs: unknown field; did you mean 'dependsOn'?"),
        ("timeoutSeconds: 5m", "flow.yml:4:19: steps[0].timeoutSeconds: must be a whole number, not 5m"),
        ("timeoutSeconds: 0", "flow.yml:4:19: steps[0].timeoutSeconds: must be a whole number from 1 to 86400, not 0"),
        ("allowFailure: yes", "flow.yml:4:17: steps[0].allowFailure: must be true or false, not yes"),
        (
            "allowFailure: 'true'",
            "flow.yml:4:17: steps[0].allowFailure: must be true or false, not the text 'true'",
        ),
        ("stage: test", "flow.yml:4:3: steps[0].stage: unknown field; did you mean 'dependsOn'?"),
        ("dependsOn: b", "flow.yml:4:14: steps[0].dependsOn: must be a list, not a single value"),
        ("outputPaths:", "flow.yml:4:15: steps[0].outputPaths: must be a list, not empty"),
        ("env: {A: 1}", 'flow.yml:4:12: steps[0].env.A: must be text, not 1; write "1" in quotes if text is meant'),
        ("env: [A]", "flow.yml:4:8: steps[0].env: must have fields (name: value), not be a list"),
        (
            "runIf: sucess",
            (
                "flow.yml:4:10: steps[0].runIf: must be one of success, failure, always, not 'sucess'"
                "; did you mean 'success'?"
            ),
        ),
        ("retries: {limit: 11}", "flow.yml:4:20: steps[0].retries.limit: must be a whole number from 0 to 10, not 11"),
        ("retries: {limit: 1, reasons: [config]}", "flow.yml:4:33: steps[0].retries.reasons[0]: must be one of"),
        ("retries: {reasons: [exit]}", "flow.yml:4:12: steps[0].retries.limit: is missing; retries needs it"),
        ("outputPaths: [../x]", "flow.yml:4:17: steps[0].outputPaths[0]: '../x' must not leave the workspace"),
        ("image: -x", "flow.yml:4:10: steps[0].image: '-x' must be an image reference"),
        ("pool: Linux", "flow.yml:4:9: steps[0].pool: 'Linux' must be lower-case letters"),
        ("run: again", "flow.yml:4:3: steps[0].run: is given twice"),
        ("runScript: x", "flow.yml:4:14: steps[0].runScript: says the same as 'run'; give one of the two"),
        ("image: a\nimageSlug: b", "flow.yml:5:14: steps[0].imageSlug: says the same as 'image'; give one of the two"),
        ("dependsOn: [c]", "flow.yml:4:15: steps[0].dependsOn[0]: there is no step called 'c'"),
        ("dependsOn: [a]", "flow.yml:4:15: steps[0].dependsOn[0]: step 'a' depends on itself"),
        ("? [b]\n: c", "flow.yml:4:5: steps[0]: a field's name must be text"),
    ],
)
def test_a_fault_is_shown_with_line_column_and_field(path: Path, settings: Settings, lines: str, fault: str) -> None:
    found = faults(path, step(lines), settings)
    assert len(found) == 1
    assert found[0].startswith(fault)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "flow.yml:1:1: the file is empty"),
        ("name: x", "flow.yml:1:1: steps: is missing; a workflow needs it"),
        ("- a", "flow.yml:1:1: must have fields (name: value), not be a list"),
        ("steps: []\nname: ''", "flow.yml:2:7: name: must not be empty"),
        ("steps: []\nname: " + "n" * 101, "flow.yml:2:7: name: must be at most 100 characters long, and has 101"),
        ("steps:\n- name: a", "flow.yml:2:3: steps[0].run: is missing; a step needs it"),
        ("steps:\n- just text", "flow.yml:2:3: steps[0]: must have fields (name: value), not be a single value"),
        ("steps: [\n", "flow.yml:2:1: not valid YAML:"),
        (
            "steps: []\n---\nsteps: []",
            "flow.yml:2:1: not valid YAML: but found another document; a file has one workflow",
        ),
        (
            "steps:\n- name: 'a\n",
            "flow.yml:2:9: not valid YAML: found unexpected end of stream; a quotation mark is opened",
        ),
        (
            "steps:\n- name: a\n  run: |\nmake\n",
            "flow.yml:4:1: not valid YAML: could not find expected ':'; is it text",
        ),
        (b"steps: []\nname: \xff", "flow.yml:2:1: the file is not UTF-8 text"),
        (b"steps: []\nname: \x07", "flow.yml:2:1: the character U+0007 is not allowed in YAML"),
        ("a: &a [x]\nb: *a", "flow.yml:2:4: not valid YAML: aliases are not allowed here; write it out"),
        ("[" * 10_000, "flow.yml:1:65: not valid YAML: nested more than 64 deep"),
        ("name: !!python/object:os.system x\nsteps: []", "flow.yml:1:7: name: must be text"),
    ],
)
def test_a_file_that_is_no_workflow_is_refused(path: Path, settings: Settings, text: str, fault: str) -> None:
    found = faults(path, text, settings)
    assert len(found) == 1
    assert found[0].startswith(fault)


def test_all_faults_are_shown_in_the_order_of_lines(path: Path, settings: Settings) -> None:
    text = "name: 5\nsteps:\n- name: a\n  run: x\n  bogus: 1\n- run: x\n  pool: '!'\n"
    places = [fault.split(":")[1] for fault in faults(path, text, settings)]
    assert places == ["1", "5", "6", "7"]


def test_faults_of_fields_and_of_the_graph_are_told_together(path: Path, settings: Settings) -> None:
    text = """\
steps:
- {name: a, run: x, dependsOn: [b], bogus: 1}
- {name: b, run: x, dependsOn: [a, nope]}
- {name: c, run: x, dependsOn: [5, c]}
"""
    assert [fault.split(": ")[:2] for fault in faults(path, text, settings)] == [
        ["flow.yml:2:32", "steps[0].dependsOn"],
        ["flow.yml:2:37", "steps[0].bogus"],
        ["flow.yml:3:36", "steps[1].dependsOn[1]"],
        ["flow.yml:4:33", "steps[2].dependsOn[0]"],
        ["flow.yml:4:36", "steps[2].dependsOn[1]"],
    ]


def test_a_name_that_cannot_be_read_makes_no_other_step_wrong(path: Path, settings: Settings) -> None:
    text = "steps:\n- {nam: a, run: x}\n- {name: b, run: x, dependsOn: [a]}\n- {name: b, run: x}\n"
    assert [fault.split(": ")[1] for fault in faults(path, text, settings)] == [
        "steps[0].name",
        "steps[0].nam",
        "steps[2].name",
    ]


def test_a_cycle_is_spelled_out(path: Path, settings: Settings) -> None:
    text = "steps:\n" + "".join(
        f"- {{name: {name}, run: x, dependsOn: [{needed}]}}\n" for name, needed in ("ab", "bc", "ca")
    )
    (fault,) = faults(path, text, settings)
    assert fault.startswith("flow.yml:2:")
    assert "a → b → c → a" in fault


def test_an_unknown_dependency_gets_a_suggestion(path: Path, settings: Settings) -> None:
    text = "steps:\n- {name: compile, run: x}\n- name: test\n  run: x\n  dependsOn:\n  - compil\n"
    (fault,) = faults(path, text, settings)
    assert fault.startswith("flow.yml:6:5: steps[1].dependsOn[0]: ")
    assert "did you mean 'compile'?" in fault


def test_a_file_over_the_size_limit_is_not_parsed(path: Path, settings: Settings) -> None:
    path.write_bytes(b"#" * (SIZE_LIMIT_BYTES + 1))
    with pytest.raises(UsageFault, match="larger than 1024 KiB"):
        read_workflow_file(path, settings)


def test_a_file_that_is_not_there_is_one_line(path: Path, settings: Settings) -> None:
    with pytest.raises(UsageFault, match=r"flow\.yml: No such file or directory"):
        read_workflow_file(path, settings)


def test_what_a_name_of_another_build_server_stands_for_is_a_field() -> None:
    assert set(NAMES_ELSEWHERE.values()) <= STEP_FIELDS.keys()
    assert not NAMES_ELSEWHERE.keys() & STEP_FIELDS.keys()
