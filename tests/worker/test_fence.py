"""When an attempt that is not extended begins to end."""

import pytest

from worker.heartbeat import FENCE_MARGIN_S, fence_at


def test_the_fence_leaves_a_margin_before_the_lease_ends() -> None:
    assert fence_at(30, asked_at=100) == 130 - FENCE_MARGIN_S


@pytest.mark.parametrize("lease_s", [0.1, 1, FENCE_MARGIN_S])
def test_a_lease_shorter_than_the_margin_is_used_by_half(lease_s: float) -> None:
    assert fence_at(lease_s, asked_at=100) == 100 + lease_s / 2
