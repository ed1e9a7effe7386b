"""The audit log."""

from typing import Any

from app.api.access import paged, read
from app.api.blueprint import Blueprint
from app.api.schemas.audit import AuditPageSchema, AuditQuery
from app.services import audit

blueprint = Blueprint("Audit", __name__, url_prefix="/api/audit-logs", description="Who changed what, and when")


@blueprint.get("")
@blueprint.arguments(AuditQuery, location="query")
@blueprint.response(200, AuditPageSchema, description="A page of entries, newest first")
@blueprint.errors(400)
def list_audit_logs(query: dict[str, Any]) -> dict[str, Any]:
    """List audit entries

    Every change of state by anyone leaves one entry. An action that is not known has none.
    """
    return paged(read(audit.list_entries, query.pop("project_id", None), query.pop("action", None), **query))
