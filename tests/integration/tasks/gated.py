"""Builds whose steps note when they start and end only when they may."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.integration.tasks.system import System
from tests.support.wait import eventually


@dataclass
class Gates:
    """The gates of a system's steps, and the ledger of the attempts that came to them."""

    system: System
    folder: Path
    builds: list[str] = field(default_factory=list)

    def chain(self, names: Sequence[str]) -> str:
        """A new build whose steps, named as none before, follow each other."""
        needs = [[], *([name] for name in names)]
        steps = ({"name": name, "dependsOn": before} for name, before in zip(names, needs, strict=False))
        script = f'echo "$STEP_NAME $STEP_ATTEMPT" >> "{self._ledger}"; '
        script += f'until [ -e "{self.folder}/gate $STEP_NAME" ]; do sleep 0.05; done'
        self.builds.append(self.system.build(*({**step, "runScript": script} for step in steps)))
        return self.builds[-1]

    def open(self, *names: str) -> None:
        """These steps may end."""
        for name in names:
            (self.folder / f"gate {name}").touch()

    def started(self) -> Counter[str]:
        """How often an attempt, as "step number", has started."""
        return Counter(self._ledger.read_text().splitlines() if self._ledger.exists() else ())

    def wait_for(self, name: str) -> None:
        """Until the step's first attempt runs."""
        eventually(lambda: f"{name} 1" in self.started(), 60)

    def wait_for_the_end(self) -> None:
        """Until every build is over, with success."""
        eventually(lambda: all(set(self.system.statuses(build)) == {"SUCCESS"} for build in self.builds), 60)

    @property
    def _ledger(self) -> Path:
        return self.folder / "ledger"
