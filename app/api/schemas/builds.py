"""Builds, step runs and their attempts."""

from typing import Any

from marshmallow import fields, post_dump, validate

from app.api.schemas.base import ATTEMPT, BaseSchema, QueryInteger, Text, identifier, instant, pagination, shown
from app.domain.definition import StepDefinition
from app.domain.references import COMMIT_PATTERN, REPOSITORY_PATTERN, check_branch, check_commit_hash
from app.domain.vocabulary import AttemptStatus, BuildStatus, Reason, StepStatus, Word
from config.redaction import without_credentials

MAX_MESSAGE = 20_000


def word(vocabulary: type[Word], description: str) -> fields.String:
    """A field that shows a vocabulary's member."""
    known = validate.OneOf([str(member) for member in vocabulary])
    return fields.String(dump_only=True, validate=known, metadata={"description": description})


class RepositoryUrl(fields.String):
    """A field that shows a repository as it was posted, but for what lets somebody in."""

    def _serialize(self, value: str | None, *_args: Any, **_kwargs: Any) -> str | None:
        return None if value is None else without_credentials(value)


class BuildSchema(BaseSchema):
    """A build: one run of a workflow."""

    id = identifier("build")
    project_id = identifier("project")
    workflow_id = identifier("workflow")
    status = word(BuildStatus, "Where the build stands")
    status_reason = word(Reason, "What failed the build first")
    commit_hash = shown("The commit that is built")
    repo_url = RepositoryUrl(
        dump_only=True,
        metadata={"description": "The git repository it comes from; `***` stands for a user or a password in it"},
    )
    branch = shown("The branch it belongs to")
    commit_message = shown("The commit's message")
    commit_author = shown("The commit's author, as its metadata says")
    created_at = instant("When the build was asked for")
    started_at = instant("When its first step started")
    finished_at = instant("When its last step ended")


class NewBuild(BaseSchema):
    """A build to create."""

    workflow_id = Text(required=True, validate=validate.Length(min=1), metadata={"description": "The workflow to run"})
    commit_hash = Text(
        check=check_commit_hash,
        metadata={
            "description": "The commit to build: 7 to 64 hexadecimal digits; exactly this one is checked out",
            "pattern": COMMIT_PATTERN,
            "example": "8d1c2a7",
        },
    )
    repo_url = Text(
        metadata={
            "description": "The git repository to check out: an https, http, ssh or git URL, or `user@host:path`; "
            "a file URL where the server allows those. A user or a password in it is given to the step's checkout "
            "and shown nowhere else",
            "format": "uri",
            "pattern": REPOSITORY_PATTERN,
            "example": "https://git.example/acme/rocket.git",
        }
    )
    branch = Text(
        check=check_branch,
        metadata={
            "description": "The branch to build where no commit is named: a name that git accepts",
            "example": "main",
        },
    )
    commit_message = Text(
        validate=validate.Length(max=MAX_MESSAGE), metadata={"description": "The commit's message, for people"}
    )
    commit_author = Text(
        validate=validate.Length(max=MAX_MESSAGE), metadata={"description": "The commit's author, for people"}
    )


class BuildHeaders(BaseSchema):
    """What a client may say beside the body."""

    idempotency_key = Text(
        data_key="Idempotency-Key",
        validate=validate.Length(min=1, max=255),
        metadata={"description": "A request repeated with the same key gets the build the first one created"},
    )

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        """Header names stay as they are."""


class BuildPageSchema(BaseSchema):
    """A page of builds."""

    builds = fields.List(
        fields.Nested(BuildSchema), attribute="rows", metadata={"description": "The page's builds, newest first"}
    )
    pagination = pagination()


class StepRunSchema(BaseSchema):
    """One step in one build, as the build shows it."""

    id = identifier("step run")
    name = shown("The step's name")
    status = word(StepStatus, "Where the step run stands")
    reason = word(Reason, "Why it is in its status")
    attempt = fields.Integer(
        metadata={"description": "The number of the attempt that runs, ran last, or may start next"}
    )
    depends_on = fields.List(fields.String(), metadata={"description": "The names of the steps it depends on"})
    image_slug = shown("The image it runs in")
    pool = shown("The pool of runners that takes it")
    runner = shown("The runner of the current attempt")
    exit_code = fields.Integer(metadata={"description": "The script's exit status"})
    ready_at = instant("When the current attempt could start")
    started_at = instant("When the current attempt was claimed")
    finished_at = instant("When it ended")

    @post_dump(pass_original=True)
    def from_definition(self, dumped: dict[str, Any], original: Any, **_kwargs: Any) -> dict[str, Any]:
        """What the step was defined with stands in the build's own copy of it."""
        definition = StepDefinition.from_posted(original.definition)
        return {**dumped, "dependsOn": list(definition.depends_on), "imageSlug": definition.image_slug}


class StepRunDetailSchema(StepRunSchema):
    """A step run shown by itself, with the build it belongs to."""

    build_id = identifier("build")


class BuildDetailSchema(BuildSchema):
    """A build with its step runs."""

    steps = fields.List(
        fields.Nested(StepRunSchema), metadata={"description": "The build's step runs, in the workflow's order"}
    )


class AttemptSchema(BaseSchema):
    """One try of a step run."""

    attempt = fields.Integer(attribute="number", metadata={"description": "Its number, from 1"})
    status = word(AttemptStatus, "How it stands or ended")
    reason = word(Reason, "Why it failed")
    handed_back = fields.Boolean(
        metadata={"description": "Whether its runner gave it up for no fault of the step's, so that it does not count"}
    )
    runner = shown("The runner that claimed it")
    exit_code = fields.Integer(metadata={"description": "The script's exit status"})
    started_at = instant("When it was claimed")
    finished_at = instant("When it ended")


class LogQuery(BaseSchema):
    """Which attempt's log."""

    attempt = QueryInteger(
        validate=ATTEMPT,
        metadata={"description": "The attempt's number; the newest that started where it is left out"},
    )
