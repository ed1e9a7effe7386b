"""What came of a storm, or of many: figures that add up, and what is broken."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from tests.chaos.figures import Figures, Recovery, spread
from tests.chaos.order import Order
from tests.chaos.storm import Fault


@dataclass
class Verdict:
    """How it went. `wrong`: what is broken, by invariant, each sentence with its build's number in the storm."""

    order: Order
    faults: dict[str, int] = field(default_factory=dict)
    restarts: dict[str, int] = field(default_factory=dict)
    attempts: int = 0
    open_after_s: float = 0.0
    retried_questions: int = 0
    released_s: list[float] = field(default_factory=list)
    claimed_s: list[float] = field(default_factory=list)
    wrong: dict[str, list[str]] = field(default_factory=dict)
    ours: Figures = field(default_factory=Figures)
    control: Figures | None = None
    control_faults: dict[str, int] = field(default_factory=dict)
    files: str = ""

    def to_dict(self) -> dict[str, Any]:
        """For machines, with what can be read off the rest for those that only look."""
        kills = self.faults.get(Fault.KILL.value, 0)
        read_off = {"kills": kills, "released_s": spread(self.released_s), "claimed_s": spread(self.claimed_s)}
        return {**asdict(self), "read_off": read_off}

    def add_recoveries(self, recoveries: Iterable[Recovery]) -> None:
        for recovery in recoveries:
            self.released_s.append(recovery.released_s)
            self.claimed_s.append(recovery.claimed_s)

    def add(self, other: Self) -> None:
        """Another storm's, as if the two had been one; of how long builds were open, the longest."""
        for name in ("faults", "restarts", "control_faults"):
            setattr(self, name, dict(Counter(getattr(self, name)) + Counter(getattr(other, name))))
        for invariant, wrongs in other.wrong.items():
            self.wrong.setdefault(invariant, []).extend(f"storm {other.order.seed}: {wrong}" for wrong in wrongs)
        self.attempts += other.attempts
        self.open_after_s = max(self.open_after_s, other.open_after_s)
        self.released_s += other.released_s
        self.claimed_s += other.claimed_s
        self.ours.add(other.ours)
        if other.control:
            self.control = self.control or Figures()
            self.control.add(other.control)

    @classmethod
    def from_dict(cls, told: dict[str, Any]) -> Self:
        """What `to_dict` gave."""
        kept = {name: value for name, value in told.items() if name != "read_off"}
        control = Figures(**told["control"]) if told["control"] else None
        return cls(**{**kept, "order": Order(**told["order"]), "ours": Figures(**told["ours"]), "control": control})
