"""A small storm over real programs, on each database: whatever strikes, no invariant is broken.

`make chaos` is the same at any size. Nothing here depends on how fast the machine is.
"""

import pytest

from tests.chaos import storming
from tests.chaos.order import Order
from tests.chaos.report import told

SEED = 69
"""Of the first seeds, the one whose short storm has most of the faults: eleven of thirteen."""
PATIENCE_S = 120.0
"""For a loaded machine; alone, the builds end within seconds."""


@pytest.mark.timeout(300)
@pytest.mark.parametrize("on_postgresql", [False, True], ids=["sqlite", "postgresql"])
def test_no_invariant_is_broken_in_a_storm_of_faults(on_postgresql: bool) -> None:
    verdict = storming.run(Order(SEED, 6, 12.0, on_postgresql, settling_s=PATIENCE_S))
    assert not verdict.wrong, told(verdict)
