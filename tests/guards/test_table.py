"""The table of guards fits the product: the guards themselves are taken out by `python -m tests.guards`, not in CI."""

import pytest

from tests.guards.copy import ROOT
from tests.guards.guard import CONTRACTS, Guard
from tests.guards.table import GUARDS


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_every_guard_is_found_once_and_so_are_its_tests(guard: Guard) -> None:
    assert guard.is_found_in(ROOT), f"{guard.file} has changed: change the table too"
    assert guard.taken_out((ROOT / guard.file).read_text()) != (ROOT / guard.file).read_text()
    for test in set(guard.tests) - {CONTRACTS}:
        file, _, name = test.partition("::")
        assert f"def {name.partition('[')[0]}" in (ROOT / file).read_text()


def test_no_two_guards_have_one_name() -> None:
    assert len({guard.name for guard in GUARDS}) == len(GUARDS)
