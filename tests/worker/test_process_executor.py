"""Commands run as process trees that can be ended whole, with real processes that do not want to end."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

import pytest

from tests.support.wait import eventually
from tests.worker.execution import LONG_S, Execution
from worker.clock import clock
from worker.keeper import Order
from worker.lease import Halt, Lease
from worker.marked import MARK
from worker.process_executor import Cause, Ending, ProcessExecutor
from worker.zygote_client import ZygoteClient

STUBBORN = "trap '' TERM; (trap '' TERM; exec setsid sleep 1000) & touch started; sleep 1000"


@pytest.fixture(scope="module")
def executor() -> Iterator[ProcessExecutor]:
    zygote = ZygoteClient()
    yield ProcessExecutor(zygote)
    zygote.close()


def test_output_is_taken_as_bytes_and_the_exit_status_is_the_commands(execution: Execution) -> None:
    ending = execution.run(r"printf 'a\377\000b'; exit 3")
    assert (ending, execution.output) == (Ending(Cause.ITSELF, 3), b"a\xff\0b")


def test_a_signal_shows_as_a_shell_shows_it(execution: Execution) -> None:
    assert execution.run("kill -KILL $$") == Ending(Cause.ITSELF, 137)


def test_all_of_a_large_output_arrives(execution: Execution) -> None:
    execution.run("head -c 20000000 /dev/zero")
    assert len(execution.output) == 20_000_000


def test_what_a_command_printed_last_arrives_though_nobody_read_it_before_its_end(
    execution: Execution, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.process_executor.CHUNK_BYTES", 1_000)

    def take_late(content: bytes) -> None:
        execution.output += content
        (execution.folder / "taken").touch()
        eventually(lambda: execution.left() == [])

    monkeypatch.setattr(execution, "take", take_late)
    execution.run("echo first; until [ -e taken ]; do :; done; head -c 10000 /dev/zero")
    assert execution.output == b"first\n" + bytes(10_000)


def test_at_the_time_limit_nothing_is_left_of_a_tree_that_ignores_sigterm(execution: Execution) -> None:
    assert execution.run(STUBBORN, limit_s=1.0).cause is Cause.TIMEOUT
    assert execution.left() == []


def test_a_halt_ends_the_whole_tree(execution: Execution) -> None:
    def halt() -> None:
        eventually((execution.folder / "started").exists, 10, "the command has started")
        execution.lease.halt(Halt.SHUTDOWN, 0.2)

    threading.Thread(target=halt).start()
    assert execution.run(STUBBORN).cause is Cause.HALT
    assert execution.left() == []


def test_a_lease_that_is_not_extended_ends_the_tree(execution: Execution) -> None:
    execution.lease.extend(clock() + 0.5)
    assert execution.run(STUBBORN).cause is Cause.HALT
    assert execution.lease.halted is Halt.EXPIRED
    assert execution.left() == []


def test_the_fence_comes_with_the_order(execution: Execution, monkeypatch: pytest.MonkeyPatch) -> None:
    """A runner that is stopped after it says no more to the keeper."""
    monkeypatch.setattr(Lease, "binds", lambda *_: nullcontext())
    execution.lease.extend(clock() + 0.5)
    assert execution.run(STUBBORN, limit_s=20).cause is Cause.HALT
    assert execution.left() == []


def test_what_a_command_leaves_in_the_background_ends_with_it(execution: Execution) -> None:
    assert execution.run("setsid sleep 1000 & exit 0") == Ending(Cause.ITSELF, 0)
    assert execution.left() == []


def test_the_command_sees_only_the_environment_it_is_given(execution: Execution) -> None:
    execution.run("env; cat /proc/$PPID/environ")
    names = {line.partition(b"=")[0] for line in execution.output.splitlines()}
    assert names == {b"PATH", MARK.encode(), b"PWD", b"SHLVL", b"_"}


def test_output_goes_on_after_the_command_has_closed_its_own(execution: Execution) -> None:
    assert execution.run("(sleep 0.1; echo late) & exec >&- 2>&-; wait; exit 4") == Ending(Cause.ITSELF, 4)
    assert execution.output == b"late\n"


def test_a_command_that_cannot_be_started_says_why(execution: Execution) -> None:
    order = Order(
        argv=["/bin/bash", "-c", "true", "x" * 200_000], cwd=str(execution.folder), environ={}, mark="",
        limit_at=clock() + LONG_S, grace_s=0.2,
    )  # fmt: skip
    assert execution.executor.execute(order, execution.lease, execution.take) == Ending(Cause.ITSELF, 127)
    assert execution.output.decode() == "» cannot start /bin/bash: Argument list too long\n"


def test_many_commands_leave_no_descriptor_and_no_process_behind(execution: Execution) -> None:
    def open_files() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    execution.run("true")
    before = open_files()
    with ThreadPoolExecutor(4) as slots:
        endings = list(slots.map(lambda number: execution.run(f"exit {number % 7}"), range(200)))
    assert endings == [Ending(Cause.ITSELF, number % 7) for number in range(200)]
    assert open_files() <= before
    assert execution.left() == []
