"""Ports for servers that tests start.

Every process walks on from a place of its own, so that test workers, and suites that run side by side on one machine,
do not find the same port free at the same moment.
"""

import itertools
import os
import socket

FIRST_PORT, PORTS = 20_000, 12_000
"""All below those that the kernel gives to outgoing connections."""
STRIDE = 97  # processes whose numbers follow each other start this far apart
_offsets = itertools.count(os.getpid() * STRIDE)


def free_port(room: int = 1) -> int:
    """A loopback port that nothing listens on, nor on the `room - 1` above it, and that was not given out lately."""
    for offset in itertools.islice(_offsets, PORTS):
        port = FIRST_PORT + offset % PORTS
        if all(_is_free(candidate) for candidate in range(port, port + room)):
            _pass_over(room - 1)
            return port
    raise AssertionError(f"no {room} free ports from {FIRST_PORT}")


def _pass_over(count: int) -> None:
    for _ in range(count):
        next(_offsets)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen(1)
        except OSError:
            return False
    return True
