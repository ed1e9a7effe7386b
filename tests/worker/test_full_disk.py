"""A disk that takes no more, as a limit on the size of files makes one: the attempt ends, with a line that says why."""

import pytest

from tests.worker.by_hand import ByHand
from tests.worker.conftest import ON_SQLITE, Server

pytestmark = ON_SQLITE

LIMITED = """
import os, resource, sys
size = int(os.environ.pop("LARGEST_FILE_BYTES"))
resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
from worker.__main__ import main
sys.exit(main())
"""


@pytest.fixture
def by_hand(server: Server, tmp_path_factory: pytest.TempPathFactory) -> ByHand:
    """Python would leave half of a compiled file too, to everybody's harm."""
    return ByHand(server, tmp_path_factory.mktemp("full"), ("-B", "-c", LIMITED))


def test_a_log_that_does_not_fit_is_cut_off_with_a_mark_and_the_step_ends_as_it_ends(
    by_hand: ByHand, server: Server
) -> None:
    step = server.new_step("head -c 50000 /dev/zero | tr '\\0' x; exit 3")
    with by_hand.start_step(step, LARGEST_FILE_BYTES="10000") as process:
        assert process.wait(60) == 1
    assert server.log(step).decode() == "x" * 10_000 + (
        "\n» log truncated: storage (File too large)\n» the step ended with exit status 3\n"
    )
    assert (server.status(step), server.step(step)["exitCode"]) == ("FAILED", 3)


def test_an_attempt_that_has_no_room_for_its_program_goes_back_and_says_why(by_hand: ByHand, server: Server) -> None:
    step = server.new_step("echo never")
    with by_hand.start_step(step, LARGEST_FILE_BYTES="100") as process:
        assert process.wait(60) == 2
    assert server.attempt(step) == ("READY", 2)
    log = server.client.get(f"/api/steps/{step}/log?attempt=1").body.decode()
    assert log == "» this runner's machine cannot run the step: File too large; it may be tried again\n"
    assert list((by_hand.folder / "work" / "reports").iterdir()) == []
