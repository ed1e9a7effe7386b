"""The programs of an embedded system and the supervisor's configuration for them.

Order matters at the end only: the runner hands its attempts back while the API still answers, and Redis goes last.
Every program is killed by the kernel when the supervisor dies, where setpriv can ask for that.
"""

import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.cli import embedded_redis
from app.cli.data_directory import DataDirectory
from config import commands
from config.settings import Settings

LOG_BYTES = "10MB"
LAST, MIDDLE, FIRST = 10, 20, 30  # supervisord starts in this order and stops in the reverse one, a group at a time


@dataclass(frozen=True)
class Program:
    """A program to keep running. Those of one group stop together; `stop_wait_s` later they are killed."""

    name: str
    command: str
    group: str
    priority: int
    stop_wait_s: int
    stop_signal: str = "TERM"


def server_programs(settings: Settings, flower_port: int) -> list[Program]:
    """API, orchestrators, runner and Flower, as commands of this very Python."""
    api_wait_s = settings.stop_grace_s + 1
    return [
        Program("api", _command(commands.API), "api", MIDDLE, stop_wait_s=api_wait_s),
        *(
            Program(name, _command(commands.orchestrator(name)), "work", FIRST, stop_wait_s=4)
            for name in orchestrator_names(settings.orchestrators)
        ),
        Program("runner", _command(commands.runner()), "work", FIRST, stop_wait_s=4),
        Program(
            "flower",
            _command(commands.flower("127.0.0.1", flower_port)),
            "work",
            FIRST,
            stop_wait_s=1,
            stop_signal="KILL",
        ),
    ]


def orchestrator_names(count: int) -> list[str]:
    """The first one's name says nothing of others, as there are none in most places."""
    return ["orchestrator", *(f"orchestrator-{number}" for number in range(2, count + 1))]


def redis_program(directory: DataDirectory, socket: Path) -> Program:
    server = embedded_redis.find_server()
    return Program("redis", embedded_redis.command(server, directory.redis, socket), "redis", LAST, stop_wait_s=1)


def supervisor_config(programs: list[Program], directory: DataDirectory) -> str:
    """The configuration file's text."""
    leash = leash_words()
    groups = {program.group: program.priority for program in programs}
    members = {group: [program.name for program in programs if program.group == group] for group in groups}
    return "\n".join(
        [
            _supervisor_section(directory),
            *(_program_section(program, directory, leash) for program in programs),
            *(
                f"[group:{group}]\nprograms={','.join(members[group])}\npriority={priority}\n"
                for group, priority in groups.items()
            ),
        ]
    )


def leash_words() -> list[str]:
    """The words before a command that tie it to its parent's life; none where the machine cannot do that."""
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        return []
    words = [setpriv, "--pdeathsig", "TERM"]
    tried = subprocess.run([*words, "true"], capture_output=True, check=False)
    return words if tried.returncode == 0 else []


def _command(words: Sequence[str]) -> str:
    """Run by this very Python, whatever PATH says."""
    return shlex.join([sys.executable, "-m", *words])


def _supervisor_section(directory: DataDirectory) -> str:
    return f"""\
[supervisord]
nodaemon=true
silent=true
logfile={directory.logs}/supervisord.log
logfile_maxbytes={LOG_BYTES}
logfile_backups=1
pidfile={directory.run}/supervisord.pid
childlogdir={directory.logs}
"""


def _program_section(program: Program, directory: DataDirectory, leash: list[str]) -> str:
    command = " ".join([shlex.join(leash), program.command]).strip().replace("%", "%%")
    return f"""\
[program:{program.name}]
command={command}
directory={directory.run}
autorestart=true
startsecs=1
startretries=1000
stopsignal={program.stop_signal}
stopwaitsecs={program.stop_wait_s}
killasgroup=true
redirect_stderr=true
stdout_logfile={directory.logs}/{program.name}.log
stdout_logfile_maxbytes={LOG_BYTES}
stdout_logfile_backups=2
"""
