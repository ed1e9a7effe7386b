"""The builds that are swept, what each attempt of their steps comes to, and how they must end."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.domain.vocabulary import BuildStatus, Reason, StepStatus

SILENT = "silent"
"""The runner claims the attempt and is not heard of again."""
SUCCESS, EXIT = "success", "exit"

End = tuple[StepStatus, Reason | None]
SUCCEEDED: End = (StepStatus.SUCCESS, None)


@dataclass(frozen=True)
class Step:
    """A step as it is posted, what its first attempts come to (the later ones succeed), and how it must end."""

    needs: tuple[str, ...] = ()
    outcomes: tuple[str, ...] = (SUCCESS,)
    end: End = SUCCEEDED
    fields: tuple[tuple[str, Any], ...] = ()

    def posted(self, name: str) -> dict[str, Any]:
        lists = {"dependsOn": list(self.needs), "cacheDirs": [], "outputPaths": []}
        return {"name": name, "imageSlug": "alpine", "runScript": "true", **lists, **dict(self.fields)}

    def outcome(self, attempt: int) -> str:
        if self.end[0] is StepStatus.FAILED:
            return EXIT
        return self.outcomes[attempt - 1] if attempt <= len(self.outcomes) else SUCCESS

    @property
    def attempts(self) -> int:
        """How many there are where nothing crashes."""
        return 0 if self.end[0] is StepStatus.SKIPPED else len(self.outcomes)


@dataclass(frozen=True)
class Plan:
    steps: Mapping[str, Step]
    end: tuple[BuildStatus, Reason | None]

    def posted(self) -> list[dict[str, Any]]:
        return [step.posted(name) for name, step in self.steps.items()]


RETRIED = ("retries", {"limit": 1, "reasons": [EXIT]})
AFTER_FAILURE = ("runIf", "failure")

WHOLE = Plan(
    {
        "first": Step(),
        "flaky": Step(outcomes=(EXIT, SUCCESS), fields=(RETRIED,)),
        "join": Step(("first", "flaky"), outcomes=(SILENT, SUCCESS)),
        "never": Step(("first",), end=(StepStatus.SKIPPED, Reason.CONDITION), fields=(AFTER_FAILURE,)),
        "broken": Step(("join",), outcomes=(EXIT,), end=(StepStatus.FAILED, Reason.EXIT)),
        "deploy": Step(("broken", "join"), end=(StepStatus.SKIPPED, Reason.DEPENDENCY)),
        "clean up": Step(("broken",), fields=(AFTER_FAILURE,)),
    },
    (BuildStatus.FAILED, Reason.EXIT),
)
"""A join, a step that is tried again, a runner that is lost, a failure and what comes of it."""

SMALL = Plan(
    {
        "only": Step(outcomes=(SILENT, SUCCESS)),
        "never": Step(("only",), end=(StepStatus.SKIPPED, Reason.CONDITION), fields=(AFTER_FAILURE,)),
    },
    (BuildStatus.SUCCESS, None),
)
"""Nearly every kind of act, once."""
PLANS = {"whole": WHOLE, "small": SMALL}
