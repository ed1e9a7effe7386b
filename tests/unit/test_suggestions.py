"""Which name is suggested for one that is not known, and how much is compared to find it."""

from collections.abc import Iterator
from itertools import cycle, islice

from app.domain.suggestions import BUDGET, Suggestions


class Compared(list[str]):
    """Names that count the letters of those that were looked at."""

    letters = 0

    def __iter__(self) -> Iterator[str]:
        for name in super().__iter__():
            self.letters += len(name)
            yield name


def pairs(known: Compared, asked: list[str], budget: int = BUDGET) -> int:
    """How many pairs of characters are compared at most while suggestions for all the names are looked for."""
    suggestions = Suggestions(known, budget)
    total = 0
    for name in asked:
        known.letters = 0
        suggestions.close_to(name)
        total += known.letters * len(name)
    return total


def test_the_closest_name_is_suggested() -> None:
    assert Suggestions(["compile", "complete", "test"]).close_to("complie") == "compile"


def test_nothing_is_suggested_for_a_name_like_no_other() -> None:
    assert Suggestions(["compile", "test"]).close_to("deploy") is None


def test_as_many_names_as_the_budget_allows_get_a_suggestion_and_no_other_does() -> None:
    suggestions = Suggestions(["abcd", "efgh"], budget=5 * 4 * 8)
    assert [suggestions.close_to("abcx") for _ in range(6)] == ["abcd"] * 5 + [None]


def test_a_name_too_long_to_be_compared_leaves_the_others_their_suggestion() -> None:
    suggestions = Suggestions(["abcd", "efgh"], budget=100)
    assert [suggestions.close_to("a" * 100), suggestions.close_to("abcx")] == [None, "abcd"]


def test_however_many_names_are_unknown_a_request_costs_no_more_than_its_budget() -> None:
    known = Compared(f"step {number}" for number in range(1_000))
    asked = [*islice(cycle(["stop 1", "x" * 100, "y" * 100_000, ""]), 80_000)]
    assert 0.9 * BUDGET < pairs(known, asked) <= BUDGET
