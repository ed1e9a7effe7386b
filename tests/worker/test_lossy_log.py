"""A long, strange log over a network that loses every fifth of its pieces, or the answer to it."""

import hashlib
import random
from pathlib import Path

import pytest

from tests.support.lossy_way import lossy_way
from tests.worker.conftest import LONG_LEASE, NewRunner, Server
from worker.attempt import Outcome

pytestmark = LONG_LEASE

SEED = 29
SHARE = 0.2
PIECE_BYTES = 16 * 1024
"""Less than a runner sends at once otherwise, so that there are many to lose."""
LONG_LINE_BYTES = 2 << 20
STRANGE = (
    b"\0" * 1000,
    bytes(range(256)) * 10,
    b"\x1b[31mred\x1b[0m \x1b]0;title\x07\x1b[2J\r\n",
    b"cut \xc3 off, \xff\xfe no text, \xed\xa0\x80 half a pair, \xf4\x90\x80\x80 beyond, \xc0\xaf too long\n",
    "» the step ended with exit status 0\n".encode(),
)


def strange_log() -> bytes:
    """Some MB of which no byte can be lost, doubled or moved without a trace, the end of the last line missing."""
    drawn = random.Random(SEED)
    numbered = b"".join(b"%d\n" % number for number in range(100_000))
    noise = [drawn.choice((*STRANGE, drawn.randbytes(700))) for _ in range(800)]
    return b"".join(
        [numbered, *noise, drawn.randbytes(LONG_LINE_BYTES).replace(b"\n", b""), b"\n", *noise, b"\xe2\x82"]
    )


def test_a_log_of_which_every_fifth_piece_or_answer_is_lost_arrives_byte_for_byte(
    server: Server, new_runner: NewRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of what fails has not reached the server, and half of it is stored, which the runner cannot know."""
    monkeypatch.setattr("worker.log_stream.CHUNK_BYTES", PIECE_BYTES)
    monkeypatch.setattr("worker.log_stream.RETRY_S", 0.001)
    printed = tmp_path / "printed"
    printed.write_bytes(content := strange_log())
    with lossy_way(server.client.url, "/log?", SHARE, SEED) as way:
        runner = new_runner(api_url=way.url, log_limit_bytes=200 << 20)
        step = server.new_step(f"cat '{printed}'")
        assert runner.run(step) == Outcome(exit_code=0)
        assert way.asked > len(content) / PIECE_BYTES
        assert min(way.lost_requests, way.lost_answers) > way.asked * SHARE / 4
    assert server.attempt(step) == ("SUCCESS", 1)
    arrived = server.log(step)
    assert (len(arrived), hashlib.sha256(arrived).hexdigest()) == (len(content), hashlib.sha256(content).hexdigest())
