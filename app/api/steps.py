"""Step runs, their attempts and their logs."""

from collections.abc import Iterator, Sequence

from flask import Response, stream_with_context

from app.api.access import read
from app.api.blueprint import Blueprint
from app.api.schemas.builds import AttemptSchema, LogQuery, StepRunDetailSchema
from app.models import Attempt, StepRun
from app.services import logs, steps

blueprint = Blueprint("Steps", __name__, url_prefix="/api/steps", description="Step runs")
blueprint.path_id("stepId", "step_id", "Step run")

PLAIN_TEXT = {"type": "string", "format": "binary"}


@blueprint.get("/<stepId>")
@blueprint.response(200, StepRunDetailSchema, description="The step run")
@blueprint.errors(404)
def get_step(step_id: str) -> StepRun:
    """Show a step run

    Its id is the one that the runner's calls take as `stepId`.
    """
    return read(steps.get, step_id)


@blueprint.get("/<stepId>/attempts")
@blueprint.response(200, AttemptSchema(many=True), description="Its attempts, oldest first")
@blueprint.errors(404)
def list_attempts(step_id: str) -> Sequence[Attempt]:
    """List a step run's attempts

    An attempt begins when a runner claims it: a step run that nobody claimed has none.
    """
    return read(steps.attempts, step_id)


@blueprint.get("/<stepId>/log")
@blueprint.arguments(LogQuery, location="query")
@blueprint.response(200, PLAIN_TEXT, content_type="text/plain", description="What an attempt printed")
@blueprint.errors(400, 404)
def get_log(query: dict[str, int], step_id: str) -> Response:
    """Show what a step run printed

    Byte for byte, of the newest attempt unless another is asked for, while it runs and after.
    """
    log = read(logs.extent, step_id, query.get("attempt"))
    response = Response(stream_with_context(_content(log)), mimetype="text/plain")
    response.content_length = log.size_bytes
    return response


def _content(log: logs.Extent) -> Iterator[bytes]:
    """Chunk by chunk, each read in a transaction of its own, so that a slow reader holds nothing."""
    start = 0
    while start < log.size_bytes:
        content = read(logs.chunk, log, start)
        yield content[: log.size_bytes - start]
        start += len(content)
