"""Guards of the runner: its fence, its reports, the end of what a step started, and its log."""

from tests.guards.guard import Guard

LEASE = "tests/worker/test_lease.py"
CLAIMING = "tests/worker/test_claiming.py"
REPORT = "tests/worker/test_report.py"
EXECUTOR = "tests/worker/test_process_executor.py"
ESCAPE = "tests/worker/test_escape.py"
STREAM = "tests/worker/test_log_stream.py"

OF_RUNNERS = (
    Guard(
        "self-fence",
        "worker/heartbeat.py",
        "    return asked_at + max(lease_s - FENCE_MARGIN_S, lease_s / 2)",
        "    return asked_at + 1_000 * lease_s",
        (f"{LEASE}::test_a_runner_cut_off_from_the_server_ends_the_step_before_the_lease_does",),
    ),
    Guard(
        "the fence counts from when it was asked",
        "worker/heartbeat.py",
        "            self._lease.extend(fence_at(lease_s, asked_at))",
        "            self._lease.extend(fence_at(lease_s, clock()))",
        ("tests/worker/test_fence.py::test_a_heartbeat_counts_from_when_it_was_sent",),
    ),
    Guard(
        "the keeper's fence",
        "worker/keeper.py",
        "        if now >= self._fence_at:",
        "        if False:",
        (f"{EXECUTOR}::test_a_lease_that_is_not_extended_ends_the_tree",),
    ),
    Guard(
        "the keeper's time limit",
        "worker/keeper.py",
        "            if now >= self._limit_at:",
        "            if False:",
        (f"{EXECUTOR}::test_at_the_time_limit_nothing_is_left_of_a_tree_that_ignores_sigterm",),
    ),
    Guard(
        "the keeper kills the tree",
        "worker/keeper.py",
        "        process_tree.kill_children()\n",
        "",
        (f"{ESCAPE}::test_the_keeper_alone_sees_to_it_that_nothing_is_left",),
    ),
    Guard(
        "the zygote kills what a dead keeper kept",
        "worker/zygote.py",
        "            process_tree.send(process_tree.strangers(), signal.SIGKILL)\n",
        "",
        (f"{ESCAPE}::test_one_without_a_mark_falls_to_whoever_is_left_above_it",),
    ),
    Guard(
        "the guard kills what a dead zygote kept",
        "worker/guard.py",
        "        process_tree.send(process_tree.strangers(), signal.SIGKILL)\n",
        "",
        (f"{ESCAPE}::test_one_without_a_mark_falls_to_whoever_is_left_above_it",),
    ),
    Guard(
        "marked processes end with their attempt",
        "worker/process_executor.py",
        "            end_marked([mark])",
        "            pass",
        (f"{ESCAPE}::test_a_daemon_of_a_command_that_kills_what_keeps_it_is_gone_when_that_is_known",),
    ),
    Guard(
        "a step that stopped its keeper ends",
        "worker/process_tree.py",
        "            if os.WIFSTOPPED(changed[1]):",
        "            if False:",
        (f"{ESCAPE}::test_who_stops_its_keeper_ends_as_if_it_had_killed_it",),
    ),
    Guard(
        "a dead runner's step ends",
        "worker/keeper.py",
        '            self._terminate("stop", ORPHAN_GRACE_S)',
        "            pass",
        ("tests/worker/test_resources.py::test_a_killed_runner_leaves_no_process_and_its_folders_to_the_next",),
    ),
    Guard(
        "report on disk before it is sent",
        "worker/report.py",
        "            return self._spool.keep(step_id, report, log_path, log_bytes)",
        "            return Kept(step_id, report, log_bytes=log_bytes)",
        (f"{REPORT}::test_a_report_is_on_disk_before_it_is_sent",),
    ),
    Guard(
        "outcome kept while the log drains",
        "worker/runner.py",
        "                    kept = self._keep(claim, outcome, place.log, log_file.size)\n",
        "                kept = self._keep(claim, outcome, place.log, log_file.size)\n",
        ("tests/worker/test_outage.py::test_an_outcome_is_on_disk_while_the_log_waits_for_the_server",),
    ),
    Guard(
        "a step that has ended says so",
        "worker/runner.py",
        "                    lease.settle()\n",
        "",
        (f"{LEASE}::test_heartbeats_say_that_the_step_has_ended_while_its_log_is_on_the_way",),
    ),
    Guard(
        "no fence after the step's end",
        "worker/lease.py",
        " and not self.settled:",
        ":",
        ("tests/worker/test_log_stream.py::test_a_server_that_is_away_is_waited_for_with_the_end_of_the_log",),
    ),
    Guard(
        "the fence comes with the order",
        "worker/keeper_link.py",
        "\\nfence {fence_at}",
        "",
        ("tests/worker/test_process_executor.py::test_the_fence_comes_with_the_order",),
    ),
    Guard(
        "a claim is repeated under its key",
        "worker/claiming.py",
        "self._runner, attempt, asking.key), asked_at",
        "self._runner, attempt, uuid4().hex), asked_at",
        (f"{LEASE}::test_a_claim_whose_answer_is_lost_is_repeated_and_the_step_runs_once",),
    ),
    Guard(
        "a claim that nobody answers is on disk",
        "worker/claiming.py",
        "                        asking.keep()\n",
        "                        pass\n",
        (f"{CLAIMING}::test_a_claim_that_is_answered_at_last_leaves_nothing_to_hand_back",),
    ),
    Guard(
        "a claim under way is handed back at the stop",
        "worker/runner.py",
        "        self._claiming.keep_open()\n",
        "",
        (f"{CLAIMING}::test_what_a_claim_may_have_got_is_on_disk_as_soon_as_its_runner_is_asked_to_end",),
    ),
    Guard(
        "a claim that begins at the stop is handed back",
        "worker/claiming.py",
        "            asking.keep()\n        try:\n",
        "            pass\n        try:\n",
        (f"{CLAIMING}::test_a_claim_that_begins_after_the_stop_has_looked_is_on_disk_before_it_is_asked",),
    ),
    Guard(
        "a claim at which the server fails is left",
        "worker/claiming.py",
        "if stops or failures.last_too_long or",
        "if stops or",
        (f"{CLAIMING}::test_a_claim_at_which_the_server_fails_is_left_and_the_next_step_runs",),
    ),
    Guard(
        "an answer that does not say where it ends is none",
        "worker/api.py",
        "if not _says_where_it_ends(response):",
        "if not response:",
        ("tests/worker/test_cut_answers.py::test_a_program_that_is_cut_off_is_none",),
    ),
    Guard(
        "the log goes on where the server is",
        "worker/log_stream.py",
        "            self._go_on_at(min(end, self._file.size))",
        "            self._go_on_at(self._sent + len(content))",
        (f"{STREAM}::test_a_server_that_has_less_than_was_sent_gets_it_again",),
    ),
)
