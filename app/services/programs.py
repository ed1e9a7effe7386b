"""The bash program of a step run."""

from sqlalchemy.orm import Session

from app.domain.definition import StepDefinition
from app.domain.script import ScriptPart, StepScript, step_program
from app.services import builds, steps


def program(session: Session, step_id: str, part: ScriptPart | None, allow_file_repos: bool) -> str:
    """What `GET /api/runner/{stepId}` answers: reads only, and the same text until the next attempt."""
    run = steps.get(session, step_id)
    build = builds.get(session, run.build_id)
    definition = StepDefinition.from_posted(run.definition)
    script = StepScript(
        build_id=build.id,
        project_id=build.project_id,
        step_id=run.id,
        step_name=run.name,
        attempt=run.attempt,
        run_script=definition.run_script,
        output_paths=definition.output_paths,
        env=definition.env,
        repo_url=build.repo_url,
        commit_hash=build.commit_hash,
        branch=build.branch,
        allow_file_repos=allow_file_repos,
    )
    return step_program(script, part)
