"""Guards of the rows: locks, compare-and-set, constraints, and what a unit of work is."""

from tests.guards.guard import Guard

RACES = "tests/integration/test_races.py"
LEASES = "tests/integration/test_leases.py"
PRESENCE = "tests/integration/test_presence.py"
CHANGES = "tests/integration/test_changes.py"
CONSTRAINTS = "tests/integration/test_constraints.py"
TRANSACTIONS = "tests/integration/test_transactions.py"
VERSIONS = "app/models/migrations/versions"


def nonsense(name: str) -> str:
    """The test that a constraint refuses what it is there for."""
    return f"{CONSTRAINTS}::test_nonsense_is_refused_and_nothing_changes[sqlite-{name}]"


OF_ROWS = (
    Guard(
        "build's row lock",
        "app/services/builds.py",
        "where(Build.id == build_id).with_for_update()",
        "where(Build.id == build_id)",
        (f"{RACES}::test_siblings_that_end_at_once_release_their_join_exactly_once",),
    ),
    Guard(
        "attempt's row lock",
        "app/services/steps.py",
        "populate_existing=True, with_for_update=True)",
        "populate_existing=True)",
        (f"{RACES}::test_a_heartbeat_that_is_answered_keeps_the_attempt_from_the_sweep",),
    ),
    Guard(
        "compare-and-set: status",
        "app/services/steps.py",
        "StepRun.status == run.status, ",
        "",
        (CHANGES,),
    ),
    Guard(
        "compare-and-set: attempt",
        "app/services/steps.py",
        ", StepRun.attempt == run.attempt)",
        ")",
        (CHANGES,),
    ),
    Guard(
        "compare-and-set of dependents",
        "app/services/progress.py",
        "where(StepRun.id.in_(batch), StepRun.status == StepStatus.PENDING)",
        "where(StepRun.id.in_(batch))",
        (CHANGES,),
    ),
    Guard(
        "compare-and-set of counts",
        "app/services/progress.py",
        '.where(StepRun.id == bindparam("step_id"), StepRun.status == StepStatus.PENDING)',
        '.where(StepRun.id == bindparam("step_id"))',
        (CHANGES,),
    ),
    Guard(
        "a build is planned once",
        "app/services/progress.py",
        "    if build.planned_at is not None:\n        return\n",
        "",
        (f"{RACES}::test_planners_at_once_plan_once",),
    ),
    Guard(
        "dispatchers lock what they stamp",
        "app/services/dispatching.py",
        ".limit(limit).with_for_update(skip_locked=True)",
        ".limit(limit)",
        (f"{RACES}::test_dispatchers_at_once_send_each_step_once",),
    ),
    Guard(
        "connections are looked at before they are used",
        "app/models/engines.py",
        "        pool_pre_ping=True,",
        "        pool_pre_ping=False,",
        (f"{TRANSACTIONS}::test_a_restart_between_two_questions_is_an_error_to_neither",),
    ),
    Guard(
        "a PostgreSQL that stands still is given up",
        "app/models/engines.py",
        '        event.listen(engine, "do_connect", _connect_impatiently)\n',
        "        pass\n",
        ("tests/api/test_outages.py::test_a_database_that_stands_still_is_not_waited_for_for_ever",),
    ),
    Guard(
        "a silent database is asked no more",
        "app/api/access.py",
        "    if is_silent():",
        "    if False:",
        ("tests/api/test_presence.py::test_a_database_that_stands_still_is_asked_by_nobody_until_it_answers",),
    ),
    Guard(
        "a connection that did not come about is let go of",
        "app/models/engines.py",
        "        traceback.clear_frames(error.__traceback__)\n",
        "",
        (f"{TRANSACTIONS}::test_a_connection_that_does_not_come_about_is_let_go_of_at_once",),
    ),
    Guard(
        "a claim is not renewed for ever",
        "app/services/leases.py",
        "    if now <= held.started_at + lease:",
        "    if True:",
        (f"{LEASES}::test_a_claim_that_is_repeated_for_longer_than_a_lease_is_renewed_no_more",),
    ),
    Guard(
        "the attempt after two lost runners waits",
        "app/services/dispatching.py",
        "StepRun.dispatched_at.is_(None), due)",
        "StepRun.dispatched_at.is_(None))",
        (f"{LEASES}::test_after_two_lost_runners_the_last_attempt_is_sent_when_a_pause_is_over",),
    ),
    Guard(
        "a repeated report gets its first answer",
        "app/services/completion.py",
        "    return Receipt(status, build.finished_at == attempt.finished_at)",
        "    return Receipt(run.status, build.status.is_final)",
        ("tests/api/test_runner.py::test_a_report_repeated_late_gets_its_first_answer",),
    ),
    Guard(
        "a time limit is passed by those alone that are heard of after it",
        "app/domain/rulings.py",
        "    if attempt.deadline_at < now and attempt.deadline_at <= heard_at:",
        "    if attempt.deadline_at < now:",
        (f"{LEASES}::test_a_runner_that_was_not_heard_of_after_the_deadline_may_have_died_before",),
    ),
    Guard(
        "attempt check",
        "app/domain/rulings.py",
        "    if attempt != step.attempt:",
        "    if False:",
        ("tests/api/test_refused_reports.py::test_an_attempt_that_was_handed_back_changes_nothing_any_more",),
    ),
    Guard(
        "one claim per attempt",
        "app/domain/rulings.py",
        "    if step.status is StepStatus.RUNNING:",
        "    if False:",
        (f"{RACES}::test_of_claims_at_once_one_wins",),
    ),
    Guard(
        "the first report stands",
        "app/domain/rulings.py",
        "    if first != again or len(exits) > 1:",
        "    if False:",
        (f"{RACES}::test_of_reports_that_contradict_each_other_the_first_one_stands",),
    ),
    Guard(
        "a report under another claim's key",
        "app/domain/rulings.py",
        "    if key is not None and not is_its_own:",
        "    if False:",
        ("tests/api/test_refused_reports.py::test_a_report_under_a_claims_key_is_about_what_that_claim_got",),
    ),
    Guard(
        "claim key",
        "app/services/leases.py",
        "(live.runner, live.claim_key) == (claimant.runner, claimant.key)",
        "live.runner == claimant.runner",
        ("tests/worker/test_runner.py::test_a_doubled_message_runs_the_step_once",),
    ),
    Guard(
        "a heartbeat is its runner's",
        "app/services/leases.py",
        "        Attempt.runner == runner,\n",
        "",
        (f"{LEASES}::test_a_heartbeat_of_another_runner_is_refused",),
    ),
    Guard(
        "the sweep looks again under the lock",
        "app/services/leases.py",
        ", lease_s) if attempt.finished_at is None else None",
        ", lease_s)",
        (f"{RACES}::test_sweeps_at_once_expire_each_attempt_once",),
    ),
    Guard(
        "presence: no verdict while nobody could renew",
        "app/services/leases.py",
        "    if not presence.allows_verdicts(session, lease_s):",
        "    if False:",
        (f"{PRESENCE}::test_nobody_is_lost_before_there_was_an_api",),
    ),
    Guard(
        "presence: a clock that jumped",
        "app/services/presence.py",
        "unbroken = ApiPresence.seen_at.between(now - gap, now + gap)",
        "unbroken = ApiPresence.seen_at.is_not(None)",
        (f"{PRESENCE}::test_a_clock_that_jumps_is_as_good_as_a_gap",),
    ),
    Guard(
        "presence: no lease lasts longer for a clock put back",
        "app/services/presence.py",
        "        _limit_leases(session, now + timedelta(seconds=lease_s))",
        "        pass",
        (f"{PRESENCE}::test_where_the_clock_is_put_back_a_lost_runner_is_missed_no_later",),
    ),
    Guard(
        "log offset",
        "app/services/logs.py",
        'fresh = content[end - offset :] if offset <= end else b""',
        "fresh = content",
        ("tests/api/test_runner.py::test_a_log_is_appended_by_offset_and_read_byte_for_byte",),
    ),
    Guard(
        "idempotency key",
        "app/services/builds.py",
        "        idempotency_key=key,\n",
        "        idempotency_key=None,\n",
        ("tests/api/test_builds.py::test_a_key_creates_one_build_in_each_project",),
    ),
    Guard(
        "idempotency key of requests at once",
        "app/services/builds.py",
        "        except IntegrityError:\n            if earlier :=",
        "        except IntegrityError:\n            if False and",
        (f"{RACES}::test_one_request_posted_often_at_once_with_its_key_is_one_build",),
    ),
    Guard(
        "SQLite's BEGIN IMMEDIATE",
        "app/models/engines.py",
        '"BEGIN" if reads else "BEGIN IMMEDIATE"',
        '"BEGIN"',
        (f"{TRANSACTIONS}::test_no_update_of_a_hot_build_is_lost",),
    ),
    Guard(
        "retry of the whole unit of work",
        "app/models/database.py",
        "                    if not left or not is_transient(error) or time.monotonic() >= tired_at:\n"
        "                        raise\n",
        "                    raise\n",
        (f"{TRANSACTIONS}::test_a_backend_that_dies_in_the_middle_costs_a_try_and_no_more",),
    ),
    Guard(
        "hints only after the commit",
        "app/models/database.py",
        "        session.commit()\n        hints = hints_of(session)\n        if hints and self._on_hints:\n"
        "            self._on_hints(hints)\n",
        "        hints = hints_of(session)\n        if hints and self._on_hints:\n"
        "            self._on_hints(hints)\n        session.commit()\n",
        (f"{TRANSACTIONS}::test_hints_are_handed_on_once_after_the_commit_and_never_without_one",),
    ),
    Guard(
        "one live attempt of a step",
        f"{VERSIONS}/0001_the_first_schema.py",
        ', "finished_at IS NULL", one_each=True)',
        ', "finished_at IS NULL", one_each=False)',
        (nonsense("uq_attempts_live"),),
    ),
    Guard(
        "trigger: a final build stays",
        f"{VERSIONS}/0002_what_never_changes.py",
        '    refuse("builds_final", "UPDATE OF status", "builds", f"{BECAME_FINAL} AND NEW.status <> OLD.status")\n',
        "",
        (nonsense("tr_builds_final"),),
    ),
    Guard(
        "trigger: a final step run stays",
        f"{VERSIONS}/0002_what_never_changes.py",
        'f"{BECAME_FINAL} AND NEW.status <> OLD.status AND NOT {IS_RERUN}",',
        '"1 = 0",',
        (nonsense("tr_step_runs_final"),),
    ),
    Guard(
        "trigger: a final attempt stays",
        f"{VERSIONS}/0002_what_never_changes.py",
        '    refuse("attempts_final", "UPDATE", "attempts", BECAME_FINAL)\n',
        "",
        (nonsense("tr_attempts_final"),),
    ),
)
