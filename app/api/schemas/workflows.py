"""Workflows and the steps they are made of."""

from typing import Any

from marshmallow import fields, post_load, validate

from app.api.schemas.base import BaseSchema, Items, Text, TrueFalse, Whole, camel_case, identifier, instant, shown
from app.api.schemas.projects import NAME
from app.domain.limits import MAX_RETRIES, MAX_TIMEOUT_S
from app.domain.references import (
    ENV_NAME_PATTERN,
    POOL_PATTERN,
    check_cache_dir,
    check_env_name,
    check_pool,
    check_workspace_path,
)
from app.domain.retry import RETRYABLE
from app.domain.vocabulary import RunIf


class RetriesSchema(BaseSchema):
    """How often, and after which failures, a step is tried again."""

    limit = Whole(
        required=True,
        validate=validate.Range(min=0, max=MAX_RETRIES),
        metadata={"description": "How many further attempts there may be after the first"},
    )
    reasons = Items(
        Text(validate=validate.OneOf(sorted(RETRYABLE))),
        metadata={"description": "Which failures are tried again; all of these where it is left out"},
    )


class StepSchema(BaseSchema):
    """A step: a script, the image it runs in, and the steps that come before it."""

    name = Text(
        required=True,
        trim=True,
        validate=NAME,
        metadata={"description": "What the step is called; unique in its workflow", "example": "test"},
    )
    image_slug = Text(
        required=True,
        trim=True,
        validate=validate.Length(min=1),
        metadata={"description": "The slug of the docker image the step runs in", "example": "python"},
    )
    depends_on = Items(
        Text(trim=True),
        required=True,
        metadata={"description": "The names of the steps that must end before this one starts", "example": []},
    )
    run_script = Text(
        required=True,
        validate=validate.Length(min=1),
        metadata={"description": "The bash script that does the step's work", "example": "python -m pytest"},
    )
    cache_dirs = Items(
        Text(check=check_cache_dir),
        required=True,
        metadata={
            "description": "Directories kept between builds, in the workspace or below `~/`",
            "example": ["~/.cache/pip"],
        },
    )
    output_paths = Items(
        Text(check=check_workspace_path),
        required=True,
        metadata={
            "description": "Files the step must leave behind, relative to the workspace; patterns are allowed",
            "example": [],
        },
    )
    env = fields.Dict(
        keys=Text(check=check_env_name, metadata={"pattern": ENV_NAME_PATTERN}),
        values=Text(),
        metadata={"description": "Environment variables of the script", "example": {"PYTHONDONTWRITEBYTECODE": "1"}},
    )
    timeout_seconds = Whole(
        validate=validate.Range(min=1, max=MAX_TIMEOUT_S),
        metadata={"description": "After how many seconds the step is stopped"},
    )
    retries = fields.Nested(
        RetriesSchema, metadata={"description": "How often the step is tried again; after a lost runner it always is"}
    )
    pool = Text(
        check=check_pool, metadata={"description": "The pool of runners that takes the step", "pattern": POOL_PATTERN}
    )
    allow_failure = TrueFalse(metadata={"description": "Whether the build may pass although this step fails"})
    run_if = Text(
        validate=validate.OneOf([str(word) for word in RunIf]),
        metadata={"description": "When the step runs: after success (the default), after a failure, or always"},
    )


class WorkflowSchema(BaseSchema):
    """A workflow, as lists show it."""

    id = identifier("workflow")
    project_id = identifier("project")
    name = shown("What people call the workflow")
    created_at = instant("When the workflow was created")
    updated_at = instant("When the workflow was last changed")


class WorkflowDetailSchema(WorkflowSchema):
    """A workflow with its steps, as they were posted."""

    steps = fields.List(
        fields.Dict(),
        metadata={
            "description": "The steps, in order and in the form they were posted in",
            "items": {"$ref": "#/components/schemas/Step"},
        },
    )


class NewWorkflow(BaseSchema):
    """A workflow to create."""

    name = Text(
        required=True,
        trim=True,
        validate=NAME,
        metadata={"description": "What people call the workflow", "example": "ci"},
    )
    steps = Items(
        fields.Nested(StepSchema),
        required=True,
        metadata={"description": "The steps, in any order; a build of a workflow without any succeeds at once"},
    )

    @post_load
    def in_posted_names(self, loaded: dict[str, Any], **_kwargs: Any) -> dict[str, Any]:
        """Steps are stored in the API's own field names: what is kept is what was posted, checked."""
        steps = [{camel_case(name): value for name, value in step.items()} for step in loaded["steps"]]
        return {**loaded, "steps": steps}
