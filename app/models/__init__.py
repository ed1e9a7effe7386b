"""The tables. A constraint here says what the domain says, so that a defect becomes an error and never a wrong row."""

from app.models.audit import AuditCount, AuditEntry
from app.models.base import Base
from app.models.build import Build
from app.models.presence import ApiPresence
from app.models.project import DockerImage, Project, Workflow
from app.models.step_run import Attempt, LogChunk, StepEdge, StepRun

__all__ = [
    "ApiPresence",
    "Attempt",
    "AuditCount",
    "AuditEntry",
    "Base",
    "Build",
    "DockerImage",
    "LogChunk",
    "Project",
    "StepEdge",
    "StepRun",
    "Workflow",
]
