"""A step as a workflow defines it, read from the form in which it is posted and stored."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.domain.retry import RETRYABLE, RetryPolicy
from app.domain.vocabulary import Reason, RunIf

DEFAULT_POOL = "default"


@dataclass(frozen=True)
class StepDefinition:
    """What a step asks for; `timeout_s` is None where the server's default applies."""

    name: str
    image_slug: str
    depends_on: tuple[str, ...]
    run_script: str
    cache_dirs: tuple[str, ...]
    output_paths: tuple[str, ...]
    env: Mapping[str, str]
    timeout_s: int | None
    retries: RetryPolicy
    pool: str
    allow_failure: bool
    run_if: RunIf

    @classmethod
    def from_posted(cls, step: Mapping[str, Any]) -> "StepDefinition":
        """Read a checked step in the API's own field names; optional ones may be absent."""
        return cls(
            name=step["name"],
            image_slug=step["imageSlug"],
            depends_on=tuple(dict.fromkeys(step["dependsOn"])),
            run_script=step["runScript"],
            cache_dirs=tuple(step["cacheDirs"]),
            output_paths=tuple(step["outputPaths"]),
            env=step.get("env", {}),
            timeout_s=step.get("timeoutSeconds"),
            retries=_retries(step.get("retries", {})),
            pool=step.get("pool", DEFAULT_POOL),
            allow_failure=step.get("allowFailure", False),
            run_if=RunIf(step.get("runIf", RunIf.SUCCESS)),
        )


def _retries(posted: Mapping[str, Any]) -> RetryPolicy:
    reasons = posted.get("reasons", RETRYABLE)
    return RetryPolicy(limit=posted.get("limit", 0), reasons=frozenset(Reason(reason) for reason in reasons))
