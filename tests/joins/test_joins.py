"""Siblings that end at one moment, reported by several processes: a small pass of `python -m tests.joins`."""

from tests.joins.count import WIDEST, Count, count

JOINS = 100


def test_contended_joins_are_neither_missed_nor_doubled(database_url: str) -> None:
    last = Count()
    for last in count(database_url, JOINS):
        assert last.wrong == []
    assert (last.joins, last.missed, last.doubled, max(last.widths)) == (JOINS, 0, 0, WIDEST)
