"""What an audit entry can be about: a closed vocabulary of dotted actions, `thing.happened`."""

from app.domain.vocabulary import Word


class AuditAction(Word):
    """Everything the audit log can say."""

    PROJECT_CREATED = "project.created", "a project was created"
    WORKFLOW_CREATED = "workflow.created", "a workflow was created"
    IMAGE_CREATED = "image.created", "an image was registered"
    BUILD_CREATED = "build.created", "a build was asked for, and its step runs were laid out"
    BUILD_STARTED = "build.started", "the first step of a build started"
    BUILD_FINISHED = "build.finished", "every step run of a build became final"
    STEP_READY = "step.ready", "every dependency of a step run settled, and it may start"
    STEP_SKIPPED = "step.skipped", "a step run will not run, because of how its dependencies ended"
    STEP_CLAIMED = "step.claimed", "a runner took an attempt of a step run"
    STEP_COMPLETED = "step.completed", "a step run ended, as its runner reported"
    STEP_EXPIRED = "step.expired", "an attempt ended because its runner was lost or its time was over"
    STEP_RETRIED = "step.retried", "an attempt failed, and the next one may start"
    STEP_CANCELLED = "step.cancelled", "a step run was stopped, or will not start"
