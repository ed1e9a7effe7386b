"""What `parse` reads, and what it refuses."""

import unittest

from timespan.parsing import parse


class Parsing(unittest.TestCase):
    def test_units_add_up(self) -> None:
        self.assertEqual(parse("1h 30m"), 5400)
        self.assertEqual(parse("1w2d"), 9 * 86_400)

    def test_order_and_blanks_do_not_matter(self) -> None:
        self.assertEqual(parse(" 30 m 1h"), parse("1h30m"))

    def test_minutes_and_milliseconds_are_told_apart(self) -> None:
        self.assertEqual(parse("5m"), 300)
        self.assertEqual(parse("5ms"), 0.005)

    def test_fractions_are_exact_to_the_millisecond(self) -> None:
        self.assertEqual(parse("0.1s"), 0.1)

    def test_what_is_no_duration_is_refused_by_name(self) -> None:
        for text in ("", "   ", "h", "10", "1h soon", "-1h", "1y"):
            with self.subTest(text=text), self.assertRaises(ValueError):
                parse(text)

    def test_a_unit_given_twice_is_refused(self) -> None:
        with self.assertRaisesRegex(ValueError, "twice"):
            parse("1h 2h")
