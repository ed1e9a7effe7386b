"""What `spell` writes, and that `parse` reads it back."""

import random
import unittest

from timespan.formatting import spell
from timespan.parsing import parse


class Formatting(unittest.TestCase):
    def test_only_the_needed_units_are_written(self) -> None:
        self.assertEqual(spell(5400), "1h 30m")
        self.assertEqual(spell(86_400), "1d")

    def test_nothing_is_zero_seconds(self) -> None:
        self.assertEqual(spell(0), "0s")

    def test_a_negative_duration_is_refused(self) -> None:
        with self.assertRaises(ValueError):
            spell(-1)

    def test_what_is_spelled_is_parsed_back(self) -> None:
        numbers = random.Random(1)
        for _ in range(2000):
            seconds = numbers.randrange(10**10) / 1000
            self.assertEqual(parse(spell(seconds)), seconds)
