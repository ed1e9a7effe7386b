"""The tree of errors a use case may end with. `app/api/errors.py` maps it to HTTP, and nothing else does."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Fault:
    """One thing wrong with a request: where (`steps[2].dependsOn[0]`), a stable code, and a sentence for people."""

    path: str
    code: str
    message: str

    def to_dict(self) -> dict[str, str]:
        return asdict(self)


class BuildServerError(Exception):
    """Anything that ends a use case. What is refused is told to the client, so its text never holds a secret."""


class NotFound(BuildServerError):
    """There is no such thing, or not for the one who asks; the two are not told apart."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"{kind} not found")


class Invalid(BuildServerError):
    """The request cannot be carried out as it stands; `faults` has one entry per thing wrong with it."""

    def __init__(self, message: str, faults: Sequence[Fault] = ()) -> None:
        super().__init__(message)
        self.faults = tuple(faults)


class Conflict(BuildServerError):
    """The request contradicts what the server already has; nothing was changed."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class IllegalMove(BuildServerError):
    """A status was asked to change in a way the transition table does not know: a defect of ours, never a client's."""
