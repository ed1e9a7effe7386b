"""What runners send and get."""

from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from app.api.schemas.base import ATTEMPT, BaseSchema, Items, QueryInteger, Text, TrueFalse, Whole
from app.domain.limits import MAX_INTEGER
from app.domain.script import ScriptPart
from app.domain.vocabulary import Reason

REPORTED_REASONS = (Reason.EXIT, Reason.TIMEOUT, Reason.LOST, Reason.CONFIG)
RUNNER = validate.Length(min=1, max=200)


class ScriptQuery(BaseSchema):
    """Which part of the program."""

    part = Text(
        validate=validate.OneOf([str(part) for part in ScriptPart]),
        metadata={"description": "Only the checkout or only the run; the whole step where it is left out"},
    )


class CompletionSchema(BaseSchema):
    """A runner's report."""

    status = Text(
        required=True,
        validate=validate.OneOf(["success", "failed"]),
        metadata={"description": "How the step went"},
    )
    logs = fields.String(
        metadata={
            "description": "What the step printed, added to what was streamed before. Any bytes a program prints are "
            "taken, also those that are no Unicode text"
        }
    )
    output_paths = Items(fields.String(), metadata={"description": "The files the step left behind"})
    attempt = Whole(validate=ATTEMPT, metadata={"description": "The attempt reported; the current one where left out"})
    exit_code = Whole(
        validate=validate.Range(min=-MAX_INTEGER, max=MAX_INTEGER), metadata={"description": "The script's exit status"}
    )
    reason = Text(
        validate=validate.OneOf([str(reason) for reason in REPORTED_REASONS]),
        metadata={"description": "Why it failed; `exit` where left out. After `lost` it is tried again"},
    )
    handed_back = TrueFalse(
        load_default=False,
        metadata={"description": "With `lost`: for no fault of the step's, so this attempt does not count"},
    )

    key = Text(
        validate=RUNNER,
        metadata={"description": "The key of a claim whose answer was not heard: only what that got ends"},
    )

    @validates_schema
    def refuse_contradiction(self, report: dict[str, Any], **_kwargs: Any) -> None:
        """A success has no reason, and no exit status that a shell calls a failure. A script that ends with 0 may fail
        all the same: by its time limit, or by an output that it did not leave. Whoever has a result does not give it
        back."""
        wrong = {}
        if report["status"] == "success" and report.get("exit_code"):
            wrong["exitCode"] = ["must be 0, or left out, where the status is success"]
        if report["status"] == "success" and "reason" in report:
            wrong["reason"] = ["must be left out where the status is success"]
        if report["handed_back"] and report.get("reason") != Reason.LOST:
            wrong["handedBack"] = ["must be false, or left out, where the reason is not lost"]
        if wrong:
            raise ValidationError(wrong)


class ReceiptSchema(BaseSchema):
    """The answer to a report."""

    success = fields.Boolean(metadata={"description": "Whether the report was taken"})
    step_status = fields.String(attribute="status", metadata={"description": "The step run's status after it"})
    build_complete = fields.Boolean(metadata={"description": "Whether every step run of the build is final"})


class ClaimRequest(BaseSchema):
    """A runner asks for an attempt."""

    runner = Text(required=True, trim=True, validate=RUNNER, metadata={"description": "The runner's name"})
    attempt = Whole(validate=ATTEMPT, metadata={"description": "The attempt wanted; the current one where left out"})
    key = Text(
        validate=RUNNER,
        metadata={"description": "New for every claim; a claim repeated with the same one gets the same answer"},
    )
    heartbeats = TrueFalse(
        load_default=False,
        metadata={"description": "Whether the runner sends heartbeats; if not, its lease is the step's time limit"},
    )


class ClaimSchema(BaseSchema):
    """What a runner may now do, and for how long."""

    step_id = fields.String(attribute="run.id", metadata={"description": "The step run"})
    build_id = fields.String(attribute="run.build_id", metadata={"description": "The build it belongs to"})
    project_id = fields.String(attribute="run.project_id", metadata={"description": "The build's project"})
    name = fields.String(attribute="run.name", metadata={"description": "The step's name"})
    attempt = fields.Integer(metadata={"description": "The attempt that is now the runner's"})
    lease_seconds = fields.Float(attribute="lease_s", metadata={"description": "How long the lease lasts from now"})
    timeout_seconds = fields.Integer(attribute="timeout_s", metadata={"description": "The step's time limit"})


class HeartbeatRequest(BaseSchema):
    """A runner says that it is still at work."""

    runner = Text(required=True, trim=True, validate=RUNNER, metadata={"description": "The runner's name"})
    attempt = Whole(required=True, validate=ATTEMPT, metadata={"description": "The attempt it works on"})
    ended = TrueFalse(
        load_default=False,
        metadata={"description": "Whether the step has ended, and its limit counts no more: its log is on the way"},
    )


class HeartbeatSchema(BaseSchema):
    """What the runner should do."""

    cancel = fields.Boolean(metadata={"description": "Whether to stop"})
    lease_seconds = fields.Float(attribute="lease_s", metadata={"description": "How long the lease lasts from now"})


class LogAppendQuery(BaseSchema):
    """Where the bytes of the body belong."""

    attempt = QueryInteger(required=True, validate=ATTEMPT, metadata={"description": "The attempt that printed them"})
    offset = QueryInteger(
        required=True,
        validate=validate.Range(min=0, max=MAX_INTEGER),
        metadata={"description": "How many bytes come before them"},
    )


class LogEndSchema(BaseSchema):
    """How far the server has the log."""

    offset = fields.Integer(metadata={"description": "Where the next bytes belong"})
