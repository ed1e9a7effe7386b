"""A step's log over a network that fails: every byte once, in order, and the step never waits for it."""

import hashlib
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from app.models import LogChunk
from tests.support.proxy import Proxy
from tests.support.wait import eventually
from tests.worker.conftest import ON_SQLITE, Server
from worker.api import ApiClient, Refused
from worker.clock import clock
from worker.lease import Halt, Lease
from worker.log_file import OWN_BYTES, LogFile
from worker.log_stream import CHUNK_BYTES, LogStream

pytestmark = ON_SQLITE

LIMIT_BYTES = 64 << 20


class Counting(ApiClient):
    """The runner's own client; it says how often it has begun to send, and how often it was refused."""

    tries = refusals = 0

    def append_log(self, step_id: str, attempt: int, offset: int, content: bytes) -> int:
        self.tries += 1
        try:
            return super().append_log(step_id, attempt, offset, content)
        except Refused:
            self.refusals += 1
            raise


class Streaming:
    """The log of a claimed step, written by a test in place of a step."""

    def __init__(self, server: Server, proxy: Proxy, folder: Path, limit_bytes: int = LIMIT_BYTES) -> None:
        self.server, self.proxy = server, proxy
        self.client = Counting(proxy.url)
        self.claim = self.client.claim(server.new_step(), "by-test", None, "key")
        self.lease = Lease(clock() + 600)
        self.file = LogFile(folder / "log", limit_bytes)
        self.stream = LogStream(self.client, self.claim, self.lease, self.file)

    def arrived(self) -> bytes:
        return self.server.log(self.claim.step_id)

    def wait_for_a_try(self) -> None:
        before = self.client.tries
        eventually(lambda: self.client.tries > before)

    def end_in_background(self, content: bytes, why: Halt | None = None) -> threading.Event:
        """The last words of a step, and its end, which a test does not wait for; the event says that it came."""
        done = threading.Event()

        def end() -> None:
            with self.stream:
                self.file.write(content)
                if why:
                    self.lease.halt(why, 0)
            done.set()

        threading.Thread(target=end, daemon=True).start()
        return done

    def wait_for(self, content: bytes) -> None:
        eventually(lambda: self.arrived() == content, describe=lambda: repr(self.arrived()[-200:]))


@pytest.fixture
def streaming(server: Server, proxy: Proxy, tmp_path: Path) -> Streaming:
    return Streaming(server, proxy, tmp_path)


def numbered(size_bytes: int) -> bytes:
    """Bytes of which none can be lost, doubled or moved without a trace."""
    lines = (b"%d\n" % number for number in range(size_bytes // 2))
    return b"".join(lines)[:size_bytes]


def test_output_arrives_while_the_step_runs(streaming: Streaming) -> None:
    with streaming.stream:
        streaming.file.write(b"first\n")
        streaming.wait_for(b"first\n")
        streaming.file.write(b"second\n")
        streaming.wait_for(b"first\nsecond\n")


def test_a_log_of_many_chunks_arrives_byte_for_byte(streaming: Streaming) -> None:
    content = numbered(5 * CHUNK_BYTES + 7)
    with streaming.stream:
        for start in range(0, len(content), 65_536):
            streaming.file.write(content[start : start + 65_536])
    assert hashlib.sha256(streaming.arrived()).digest() == hashlib.sha256(content).digest()


def test_a_backlog_is_sent_without_pauses_between_its_chunks(
    streaming: Streaming, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pause for every chunk would hold a log to a megabyte per second."""
    monkeypatch.setattr("worker.log_stream.FLUSH_S", 600)
    content = numbered(20 * CHUNK_BYTES)
    streaming.file.write(content)
    with streaming.stream:
        streaming.wait_for(content)


@pytest.mark.parametrize("failing", [Proxy.refuse, Proxy.drop, Proxy.delay])
def test_a_server_that_was_away_gets_what_was_printed_meanwhile_once_and_in_order(
    streaming: Streaming, failing: Callable[[Proxy], None]
) -> None:
    content = numbered(CHUNK_BYTES)
    with streaming.stream:
        streaming.file.write(content[:1000])
        streaming.wait_for(content[:1000])
        failing(streaming.proxy)
        streaming.file.write(content[1000:])
        streaming.wait_for_a_try()
        assert streaming.arrived() == content[:1000]
        streaming.proxy.restore()
    assert streaming.arrived() == content


def test_a_chunk_whose_answer_was_lost_is_passed_over_the_second_time(streaming: Streaming) -> None:
    streaming.proxy.cut_answers_after(20)
    with streaming.stream:
        streaming.file.write(b"printed once\n")
        streaming.wait_for(b"printed once\n")
        streaming.proxy.restore()
        streaming.file.write(b"and then more\n")
    assert streaming.arrived() == b"printed once\nand then more\n"


def test_a_server_that_has_less_than_was_sent_gets_it_again(streaming: Streaming) -> None:
    with streaming.stream:
        streaming.file.write(b"first\n")
        streaming.wait_for(b"first\n")
        streaming.server.database.transact(lambda session: session.query(LogChunk).delete())
        streaming.file.write(b"second\n")
        streaming.wait_for(b"first\nsecond\n")


def test_a_server_that_has_more_than_was_sent_is_believed(streaming: Streaming) -> None:
    """Its log may be longer than ours, where somebody else added to it; what we print beyond that is added."""
    claim, strange, ours = streaming.claim, b"a stranger's line\n", b"ours\n"
    streaming.client.append_log(claim.step_id, claim.attempt, 0, strange)
    with streaming.stream:
        streaming.file.write(ours)
        eventually(lambda: streaming.stream._sent == len(ours))
        streaming.file.write(strange)
    assert streaming.arrived() == strange + (ours + strange)[len(strange) :]


def test_a_log_over_its_limit_is_cut_off_once_and_says_how_the_step_ended(
    server: Server, proxy: Proxy, tmp_path: Path
) -> None:
    streaming = Streaming(server, proxy, tmp_path, limit_bytes=10_000)
    with streaming.stream:
        for _ in range(100):
            streaming.file.write(b"x" * 777)
        streaming.file.say("the step ended with exit status 1")
    kept = b"x" * (10_000 - OWN_BYTES)
    marker = "\n» the log is cut off here: its limit is 10000 bytes\n".encode()
    assert streaming.arrived() == kept + marker + "» the step ended with exit status 1\n".encode()


def test_a_log_refused_after_the_attempt_ended_is_given_up_at_once(streaming: Streaming) -> None:
    streaming.client.complete(streaming.claim.step_id, {"status": "success", "attempt": 1})
    eventually(streaming.end_in_background(b"too late\n").is_set, 15, "the stream has ended")
    with pytest.raises(Refused):
        streaming.client.append_log(streaming.claim.step_id, 1, 0, b"too late\n")
    assert streaming.arrived() == b""
    assert streaming.server.status(streaming.claim.step_id) == "SUCCESS"


def test_a_step_whose_log_is_refused_prints_on_until_it_is_ended(streaming: Streaming) -> None:
    streaming.client.complete(streaming.claim.step_id, {"status": "success", "attempt": 1})
    with streaming.stream:
        streaming.file.write(b"too late\n")
        eventually(lambda: streaming.client.refusals)
        for _ in range(10_000):
            streaming.file.write(b"later still\n")
    assert streaming.client.refusals == 1


@pytest.mark.parametrize("why", [Halt.REVOKED, Halt.CANCELLED, Halt.SHUTDOWN])
def test_the_end_of_an_attempt_that_was_halted_does_not_wait_for_a_server_that_is_away(
    streaming: Streaming, why: Halt
) -> None:
    """With the patience of an ordinary end, this would take longer than the deadline."""
    streaming.proxy.refuse()
    done = streaming.end_in_background(b"last words\n", why)
    eventually(done.is_set, 15, "the stream has ended")


def test_a_server_that_takes_nothing_does_not_keep_the_outcome_for_ever(
    streaming: Streaming, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.log_stream.DRAIN_S", 0.1)
    monkeypatch.setattr(streaming.client, "append_log", lambda *_: 0)
    with streaming.stream:
        streaming.file.write(b"unheard\n")
    assert (streaming.arrived(), streaming.stream.is_whole) == (b"", False)


def test_a_server_that_is_away_is_waited_for_with_the_end_of_the_log(
    streaming: Streaming, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its outcome could not be reported either; and no fence counts any more, as the step has ended."""
    monkeypatch.setattr("worker.log_stream.DRAIN_S", 2.0)  # twice the pause between two tries
    streaming.proxy.refuse()
    done = streaming.end_in_background(b"last words\n")
    for _ in range(3):
        streaming.wait_for_a_try()
    streaming.lease.settle()
    streaming.lease.extend(clock() - 1)
    streaming.wait_for_a_try()
    assert not done.is_set()
    streaming.proxy.restore()
    eventually(done.is_set)
    assert (streaming.arrived(), streaming.stream.is_whole) == (b"last words\n", True)


def test_writing_does_not_wait_for_a_server_that_hangs(streaming: Streaming) -> None:
    """A writer that waited for each chunk's answer would take longer than the deadline."""
    content, chunk = numbered(20 * CHUNK_BYTES), CHUNK_BYTES // 4
    written = threading.Event()

    def write() -> None:
        for start in range(0, len(content), chunk):
            streaming.file.write(content[start : start + chunk])
        written.set()

    with streaming.stream:
        streaming.proxy.delay()
        threading.Thread(target=write, daemon=True).start()
        eventually(written.is_set)
        assert streaming.arrived() == b""
        streaming.proxy.restore()
    assert streaming.arrived() == content
