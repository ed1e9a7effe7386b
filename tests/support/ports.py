"""Ports for servers that tests start. Every test worker walks a range of its own, so that two never pick the same.

The ranges end below the ports that the kernel gives to outgoing connections.
"""

import itertools
import os
import socket

FIRST_PORT, PORTS_PER_WORKER, WORKERS = 20_000, 400, 30
_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % WORKERS
_offsets = itertools.count()


def free_port(room: int = 1) -> int:
    """A loopback port that nothing listens on, nor on the `room - 1` above it, and that was not given out lately."""
    for _ in range(PORTS_PER_WORKER):
        port = FIRST_PORT + _worker * PORTS_PER_WORKER + next(_offsets) % PORTS_PER_WORKER
        if all(_is_free(candidate) for candidate in range(port, port + room)):
            for _ in range(room - 1):
                next(_offsets)
            return port
    raise AssertionError(f"no {room} free ports from {FIRST_PORT}")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return probe.connect_ex(("127.0.0.1", port)) != 0 and _can_bind(probe, port)


def _can_bind(probe: socket.socket, port: int) -> bool:
    try:
        probe.bind(("127.0.0.1", port))
    except OSError:
        return False
    return True
