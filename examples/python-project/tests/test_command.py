"""The command, run as a user runs it."""

import subprocess
import sys
import unittest


def timespan(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "timespan", *words], capture_output=True, text=True, check=False)


class Command(unittest.TestCase):
    def test_seconds_are_printed(self) -> None:
        self.assertEqual(timespan("1h", "30m").stdout, "5400\n")

    def test_a_wrong_duration_is_one_line_and_status_2(self) -> None:
        answer = timespan("soon")
        self.assertEqual((answer.returncode, answer.stdout), (2, ""))
        self.assertEqual(answer.stderr, "timespan: not a duration: 'soon' in 'soon'\n")
