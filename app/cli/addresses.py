"""Addresses that `up` listens on: what is loopback, what is free, and what to say where a port is taken."""

import errno
import ipaddress
import socket

from app.cli.client import ApiClient
from app.cli.errors import UsageFault

WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}
HIGHEST_PORT = 65_535
FREE_PORT_TRIES = 100


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def base_url(host: str, port: int) -> str:
    """The URL under which this machine reaches a server that listens on the host."""
    reachable = WILDCARDS.get(host, host)
    return f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"


def require_free(host: str, port: int) -> None:
    """Raise UsageFault, saying what to do, where the address cannot be listened on."""
    fault = _listen_fault(host, port)
    if fault is None:
        return
    if fault.errno != errno.EADDRINUSE:
        raise UsageFault(f"cannot listen on {host}:{port}: {fault.strerror or fault}")
    url = base_url(host, port)
    holder = "another Build Server" if ApiClient(url).ready() else "another program"
    raise UsageFault(f"port {port} on {host} is in use by {holder}: stop that, or choose another port with --port")


def free_port(host: str, wanted: int) -> int:
    """The wanted port if it is free, else the next free one above it."""
    for port in range(wanted, min(wanted + FREE_PORT_TRIES, HIGHEST_PORT + 1)):
        if _listen_fault(host, port) is None:
            return port
    raise UsageFault(f"no free port from {wanted} to {wanted + FREE_PORT_TRIES - 1} on {host}")


def _listen_fault(host: str, port: int) -> OSError | None:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen(1)
    except OSError as error:
        return error
    return None
