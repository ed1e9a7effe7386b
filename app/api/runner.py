"""The runner's protocol: the contract's script and report, and the claim, heartbeat and log beside them."""

import re
from typing import Any

from flask import Response, request

from app.api.access import leases_stand, read, settings, transact
from app.api.blueprint import Blueprint
from app.api.schemas.runner import (
    ClaimRequest,
    ClaimSchema,
    CompletionSchema,
    HeartbeatRequest,
    HeartbeatSchema,
    LogAppendQuery,
    LogEndSchema,
    ReceiptSchema,
    ScriptQuery,
)
from app.domain.script import ScriptPart
from app.domain.vocabulary import Reason
from app.services import completion, leases, logs, programs
from app.services.endings import Outcome

NO_BYTE = re.compile("[\ud800-\udc7f\udd00-\udfff]")

blueprint = Blueprint("Runner", __name__, url_prefix="/api/runner", description="What runners ask and report")
blueprint.path_id("stepId", "step_id", "Step run")


@blueprint.get("/<stepId>")
@blueprint.arguments(ScriptQuery, location="query")
@blueprint.response(200, {"type": "string"}, content_type="text/plain", description="The bash program")
@blueprint.errors(400, 404)
def get_script(query: dict[str, str], step_id: str) -> Response:
    """Show the bash program that does the step's work

    Run by bash in an empty folder on a machine with git it does the whole step. Asking changes nothing, and gives the
    same program until the next attempt.
    """
    part = ScriptPart(query["part"]) if "part" in query else None
    program = read(programs.program, step_id, part, settings().allow_file_repos)
    return Response(program, mimetype="text/plain")


@blueprint.post("/<stepId>/claim")
@blueprint.arguments(ClaimRequest)
@blueprint.response(200, ClaimSchema, description="The attempt is the runner's")
@blueprint.errors(400, 404, 409, 413, 415)
def claim_step(body: dict[str, Any], step_id: str) -> leases.Claim:
    """Claim an attempt of a step run

    One runner gets it. A claim that is repeated with its `key` gets the same answer, as its first one may be lost.
    """
    claimant = leases.Claimant(body["runner"], body.get("key"), body["heartbeats"])
    return transact(leases.claim, step_id, claimant, body.get("attempt"), lease_times())


@blueprint.post("/<stepId>/heartbeat")
@blueprint.arguments(HeartbeatRequest)
@blueprint.response(200, HeartbeatSchema, description="The lease is extended")
@blueprint.errors(400, 404, 409, 413, 415)
def extend_lease(body: dict[str, Any], step_id: str) -> dict[str, Any]:
    """Extend the lease of an attempt

    A runner that is not heard of before its lease is over has lost the attempt. While the database is away none is
    lost, and a heartbeat is answered without asking whose it is.
    """
    lease_s = settings().lease_s
    if not leases_stand():
        transact(leases.extend, step_id, body["runner"], body["attempt"], lease_s, body["ended"])
    return {"cancel": False, "lease_s": lease_s}


@blueprint.put("/<stepId>/log")
@blueprint.arguments(LogAppendQuery, location="query")
@blueprint.response(200, LogEndSchema, description="How far the server has the log")
@blueprint.errors(400, 404, 409, 413)
@blueprint.doc(
    requestBody={"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
)
def append_log(query: dict[str, int], step_id: str) -> dict[str, int]:
    """Add to an attempt's log

    What the server has already is passed over, so the same bytes may be sent twice. Bytes that leave a gap are not
    taken: the answer says where to go on. A log that reached its limit is cut off, and what follows is passed over.
    """
    limit_bytes = settings().log_limit_bytes
    end = transact(logs.append, step_id, query["attempt"], query["offset"], request.get_data(), limit_bytes)
    return {"offset": end}


@blueprint.post("/<stepId>/complete")
@blueprint.arguments(CompletionSchema)
@blueprint.response(200, ReceiptSchema, description="The report is taken")
@blueprint.errors(400, 404, 409, 413, 415)
def complete_step(body: dict[str, Any], step_id: str) -> dict[str, Any]:
    """Report how a step went

    What depends on the step is judged, and the build ends, in the same transaction. The same report again changes
    nothing; another one is a conflict.
    """
    receipt = transact(completion.complete, step_id, _report(body), lease_times())
    return {"success": True, "status": receipt.status, "build_complete": receipt.build_complete}


def lease_times() -> leases.LeaseTimes:
    """The settings that leases are made with."""
    return leases.LeaseTimes(settings().lease_s, settings().step_timeout_s)


def _report(body: dict[str, Any]) -> completion.Report:
    succeeded = body["status"] == "success"
    reason = None if succeeded else Reason(body.get("reason", Reason.EXIT))
    outcome = Outcome(succeeded, reason, body.get("exit_code"), body["handed_back"])
    log = _printed(body.get("logs", ""))
    return completion.Report(outcome, body.get("attempt"), log, settings().log_limit_bytes, body.get("key"))


def _printed(logs: str) -> bytes:
    """The bytes a program printed: those that were no UTF-8 arrive as the surrogates U+DC80 to U+DCFF, whether the
    body held them as they were or escaped. Other lone surrogates stand for no byte, and become U+FFFD."""
    return NO_BYTE.sub("\ufffd", logs).encode("utf-8", "surrogateescape")
