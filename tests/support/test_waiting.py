"""The tests' own tools: waiting with a deadline, ports that nobody shares, no skip in CI, no hang at all."""

import socket
from pathlib import Path

import pytest

from tests.support import ports
from tests.support.ports import free_port
from tests.support.wait import eventually

pytest_plugins = ["pytester"]

SKIPPING = """
import pytest
def test_skips(): pytest.skip("no such thing here")
@pytest.mark.skipif(True, reason="marked")
def test_marked(): pass
@pytest.mark.xfail(strict=True)
def test_expected_to_fail(): assert False
def test_passes(): pass
"""

HANGING = """
import threading
import pytest
@pytest.fixture
def endless():
    yield
    threading.Event().wait()
def test_fails(endless): assert False
def test_passes(): pass
"""

UNENDING = """
import threading
def test_passes(): threading.Thread(target=threading.Event().wait, name="endless").start()
"""

WATCHED = ("-p", "tests.support.watchdog", "-o", "timeout=1", "-o", "watchdog=1")


def test_waiting_ends_with_the_first_true_answer() -> None:
    answers = iter([None, 0, "ready", "later"])
    assert eventually(lambda: next(answers)) == "ready"


def test_waiting_in_vain_says_for_what_and_how_far_it_came() -> None:
    with pytest.raises(AssertionError, match="not within 0 s: 3 of 4 builds"):
        eventually(lambda: False, deadline_s=0, describe=lambda: "3 of 4 builds")


def test_a_port_is_not_given_out_twice() -> None:
    given = [free_port() for _ in range(50)]
    assert len(set(given)) == 50


def test_a_port_with_room_leaves_the_next_one_to_its_asker() -> None:
    first = free_port(room=2)
    assert free_port() > first + 1


def test_a_port_in_use_is_passed_over() -> None:
    taken = free_port() + 1
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", taken))
        listener.listen()
        assert free_port() > taken


def test_the_ports_stay_below_the_kernel_s() -> None:
    assert ports.FIRST_PORT + ports.PORTS <= 32_768


@pytest.fixture(autouse=True)
def plugin_can_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))


@pytest.mark.parametrize(
    ("ci", "outcomes"),
    [("true", {"passed": 1, "xfailed": 1, "failed": 1, "errors": 1}), ("", {"passed": 1, "xfailed": 1, "skipped": 2})],
)
def test_a_skipped_test_fails_in_ci_only(
    ci: str, outcomes: dict[str, int], pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", ci)
    pytester.makepyfile(SKIPPING)
    result = pytester.runpytest_subprocess("-p", "tests.support.no_skips")
    result.assert_outcomes(**outcomes)


def test_a_skipped_module_fails_in_ci(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    pytester.makepyfile('import pytest\npytest.importorskip("no_such_module")\n')
    result = pytester.runpytest_subprocess("-p", "tests.support.no_skips")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*skipped with CI=true: *no_such_module*"])


def test_a_fixture_that_hangs_after_a_failure_costs_its_process_and_shows_where(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(HANGING)
    result = pytester.runpytest_subprocess(*WATCHED, "-n", "1")
    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines(["*worker 'gw0' crashed while running '*::test_fails'"])
    result.stderr.fnmatch_lines(["*::test_fails hangs; this process is ended", "*in endless"])


def test_a_thread_that_never_ends_does_not_keep_the_process(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(UNENDING)
    result = pytester.runpytest_subprocess(*WATCHED)
    result.assert_outcomes(passed=1)
    assert result.ret != 0
    result.stderr.fnmatch_lines(["*in wait"])
