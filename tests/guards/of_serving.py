"""Guards of the API's process: what long logs and a full disk may cost it, and what its clients are told."""

from tests.guards.guard import Guard

TASKS = "tests/integration/tasks"
FULL = f"{TASKS}/test_full_disk.py"
FULL_DATABASE = "tests/api/test_full_disk.py"

OF_SERVING = (
    Guard(
        "a full database is called full",
        "app/api/errors.py",
        "NO_ROOM if error_code(error) in FULL else UNUSABLE",
        "UNUSABLE",
        (f"{FULL_DATABASE}::test_what_has_no_room_is_answered_503_with_what_to_do_and_can_be_had_later",),
    ),
    Guard(
        "a request without room on disk is answered",
        "app/api/serving/requests.py",
        "        except OSError as error:\n",
        "        except ZeroDivisionError as error:\n",
        (f"{FULL}::test_a_request_too_large_for_memory_is_told_that_there_is_no_room_on_disk",),
    ),
    Guard(
        "a request without room on disk is let go of",
        "app/api/serving/requests.py",
        "            with suppress(OSError):\n                self.close()\n",
        "",
        (f"{FULL}::test_a_request_too_large_for_memory_is_told_that_there_is_no_room_on_disk",),
    ),
    Guard(
        "an answer without room on disk breaks off",
        "app/api/serving/channel.py",
        "                self.will_close = True\n                self.server.pull_trigger()\n                raise\n",
        "                raise\n",
        (f"{FULL}::test_an_answer_that_finds_no_room_on_disk_breaks_off_and_nobody_waits_for_the_rest",),
    ),
    Guard(
        "a long answer goes through many buffers",
        "app/api/serving/channel.py",
        "if self.current_outbuf_count >= self.adj.outbuf_overflow and",
        "if False and",
        (f"{TASKS}/test_log_memory.py::test_the_api_does_not_grow_with_a_log_that_comes_in_and_is_read",),
    ),
)
