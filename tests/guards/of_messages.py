"""Guards of messages: the sweep's findings, what is sent again, and how the broker's failures are survived."""

from tests.guards.guard import CONTRACTS, Guard

SETTINGS = ("tests/unit/test_celery_settings.py",)
TASKS = "tests/integration/tasks"
SWEEP = f"{TASKS}/test_sweep.py"
CLOCKS = f"{TASKS}/test_clocks.py"


def option(name: str, line: str) -> Guard:
    """An option of the transport, without which its default holds."""
    return Guard(f"transport: {name}", "tasks/celery_app.py", line, "", SETTINGS)


OF_MESSAGES = (
    Guard(
        "sweep: overdue leases",
        "tasks/orchestrator.py",
        "in database.read(leases.overdue, settings.lease_s):",
        "in ():",
        (f"{SWEEP}::test_a_lost_runner_s_step_is_sent_again_as_its_next_attempt",),
    ),
    Guard(
        "sweep: unplanned builds",
        "tasks/orchestrator.py",
        "in database.read(planning.unplanned):",
        "in ():",
        (f"{SWEEP}::test_a_build_whose_hint_was_lost_is_planned_and_its_steps_are_sent",),
    ),
    Guard(
        "sweep: unsent dispatches",
        "tasks/outbox.py",
        "self._send(self._database.transact(dispatching.dispatch_unsent, self._claim_deadline_s))",
        "pass",
        (f"{SWEEP}::test_a_ready_step_that_no_hint_told_of_is_sent",),
    ),
    Guard(
        "sweep: lost dispatches",
        "tasks/outbox.py",
        "in self._database.read(dispatching.unclaimed).items():",
        "in ():",
        (f"{TASKS}/test_lost_messages.py::test_as_many_messages_are_sent_again_as_the_queue_has_lost",),
    ),
    Guard(
        "what waits in its queue is not sent again",
        "tasks/outbox.py",
        "        if queued is not None and queued < unclaimed:\n            lost = unclaimed - queued\n",
        "        if queued is not None:\n            lost = unclaimed\n",
        (f"{TASKS}/test_lost_messages.py::test_steps_that_wait_for_a_runner_are_not_sent_again_however_long_it_takes",),
    ),
    Guard(
        "take back what could not be sent",
        "tasks/outbox.py",
        "            self._database.transact(dispatching.take_back, tuple(unsent))",
        "            pass",
        (f"{TASKS}/test_full_broker.py::test_an_orchestrator_plans_what_lies_in_a_full_broker",),
    ),
    Guard(
        "one finding keeps no other waiting",
        "tasks/orchestrator.py",
        "    except Exception:  # a row that nobody can read, say\n",
        "    except ZeroDivisionError:\n",
        (f"{SWEEP}::test_a_build_that_cannot_be_planned_keeps_no_other_waiting",),
    ),
    Guard(
        "the sweep's own queue",
        "tasks/orchestrator.py",
        "app.send_task(SWEEP, queue=MAINTENANCE",
        'app.send_task(SWEEP, queue="orchestrate"',
        (f"{SWEEP}::test_lost_runners_are_not_kept_waiting_by_a_backlog",),
    ),
    Guard(
        "one sweep waits, and no more",
        "tasks/orchestrator.py",
        "    if not waiting(app, MAINTENANCE):",
        "    if True:",
        (f"{SWEEP}::test_of_sweeps_that_nobody_takes_one_waits",),
    ),
    Guard(
        "what a sweep releases is handed out",
        "tasks/orchestrator.py",
        "        outbox.hand_out(database.transact(service, *ids).id)",
        "        database.transact(service, *ids)",
        (f"{SWEEP}::test_one_sweep_finds_a_lost_runner_and_hands_its_step_out",),
    ),
    Guard(
        "lease by the database's clock",
        "app/models/clock.py",
        "    now: datetime = session.scalars(_POSTGRESQL_NOW).one()",
        "    now = datetime.now(UTC)",
        (f"{CLOCKS}::test_one_whose_clock_jumps_takes_no_attempt_away_and_leaves_none[api-fast]",),
    ),
    Guard(
        "publish outside the request",
        "tasks/relay.py",
        "self._hints.put_nowait(hint)",
        "self._celery.send_task(hint.task, (hint.build_id,))",
        (f"{TASKS}/test_broker_loss.py::test_many_requests_are_answered_by_few_threads_while_the_broker_is_frozen",),
    ),
    Guard(
        "no broker in requests",
        "app/api/builds.py",
        "from typing import Any\n",
        "from typing import Any\n\nimport celery\n",
        (CONTRACTS,),
    ),
    Guard(
        "no database in the runner",
        "worker/runner.py",
        "import structlog\n",
        "import sqlalchemy\nimport structlog\n",
        (CONTRACTS,),
    ),
    Guard(
        "deadline of a stuck task",
        "tasks/deadline.py",
        "        faulthandler.dump_traceback_later(limit_s, exit=True, file=STDERR)",
        "        pass",
        (f"{TASKS}/test_deadline.py::test_a_worker_whose_task_is_stuck_ends_and_says_where_and_the_message_stays",),
    ),
    Guard(
        "a message that was not acknowledged is forgotten",
        "tasks/transport.py",
        "            virtual.QoS.ack(self, delivery_tag)",
        "            pass",
        (f"{TASKS}/test_broker_loss.py::test_an_orchestrator_that_could_not_acknowledge_messages_takes_the_next",),
    ),
    Guard(
        "an orchestrator's message outlives it",
        "tasks/orchestrator.py",
        "    task_acks_late=True,",
        "    task_acks_late=False,",
        SETTINGS,
    ),
    Guard(
        "a runner's message does not",
        "tasks/runner.py",
        "    task_acks_late=False,",
        "    task_acks_late=True,",
        SETTINGS,
    ),
    Guard(
        "a message goes back that came to a runner without a server",
        "tasks/runner.py",
        ", unheard=partial(give_back, step_id, attempt)",
        ", unheard=lambda: None",
        (
            f"{TASKS}/test_partition.py::test_a_message_that_only_a_runner_that_is_cut_off_takes_goes_back_for_one_that_is_not",
        ),
    ),
    option("unacked-mutex expiry", '    "unacked_mutex_expire": 10,'),
    option("visibility timeout", '    "visibility_timeout": VISIBILITY_TIMEOUT_S,'),
    option("restore interval", '    "unacked_restore_interval": 5,'),
    option("restore throttle", '    "unacked_restore_throttle": 1,'),
    option("socket timeout", '    "socket_timeout": 5,'),
    option("connect timeout", '    "socket_connect_timeout": 3,'),
    option("health check", '    "health_check_interval": 10,'),
    option("no wait for a broker that is away", '    "max_retries": 0,'),
)
