"""The supervisor's configuration, read back by the supervisor's own parser, and the packaged Redis."""

import shlex
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from app.cli import embedded_redis
from app.cli.addresses import base_url, free_port, is_loopback, require_free
from app.cli.data_directory import DataDirectory
from app.cli.errors import UsageFault
from app.cli.programs import leash_words, redis_program, server_programs, supervisor_config
from app.cli.system import make_plan, refuse_open_network
from config.settings import Settings, load_settings

READ_BACK = """
import sys
from supervisor.options import ServerOptions
options = ServerOptions()
options.realize(["-c", sys.argv[1], "-n"])
for group in options.process_group_configs:
    for process in group.process_configs:
        print(group.priority, group.name, process.name, process.stopsignal.name, process.command, sep="\\t")
"""


@pytest.fixture
def directory(tmp_path: Path) -> DataDirectory:
    directory = DataDirectory(tmp_path / "my data")
    directory.prepare()
    return directory


def read_back(config: str, directory: DataDirectory) -> list[list[str]]:
    path = directory.run / "supervisord.conf"
    path.write_text(config)
    answer = subprocess.run([sys.executable, "-c", READ_BACK, str(path)], capture_output=True, text=True, check=True)
    return [line.split("\t") for line in answer.stdout.splitlines()]


def test_the_supervisor_reads_the_configuration_as_it_is_meant(settings: Settings, directory: DataDirectory) -> None:
    programs = [redis_program(directory, directory.run / "redis.sock"), *server_programs(settings, 3001)]
    read = {
        name: (int(priority), group, command)
        for priority, group, name, _, command in read_back(supervisor_config(programs, directory), directory)
    }
    assert set(read) == {"redis", "api", "orchestrator", "runner", "flower"}
    for program in programs:
        priority, group, command = read[program.name]
        assert (priority, group) == (program.priority, program.group)
        assert shlex.split(command) == [*leash_words(), *shlex.split(program.command)]


def test_as_many_orchestrators_as_are_asked_for_have_names_of_their_own(settings: Settings) -> None:
    programs = server_programs(replace(settings, orchestrators=3), 3001)
    names = ["orchestrator", "orchestrator-2", "orchestrator-3"]
    assert [program.name for program in programs][1:4] == names
    assert [shlex.split(program.command)[-1] for program in programs][1:4] == [f"{name}@%h" for name in names]


def test_the_runner_stops_before_the_api_and_redis_stops_last(settings: Settings, directory: DataDirectory) -> None:
    programs = [redis_program(directory, Path("/tmp/r.sock")), *server_programs(settings, 3001)]
    order = {program.name: program.priority for program in programs}
    assert order["runner"] > order["api"] > order["redis"]


def test_redis_keeps_nothing_on_disk_forgets_no_queue_and_listens_on_a_socket_only(directory: DataDirectory) -> None:
    words = shlex.split(redis_program(directory, directory.run / "redis.sock").command)
    options = dict(zip(words[1::2], words[2::2], strict=True))
    assert (options["--appendonly"], options["--save"]) == ("no", "")
    assert options["--maxmemory-policy"] == "noeviction"
    assert options["--port"] == "0"
    assert options["--dir"] == str(directory.redis)


def test_the_packaged_redis_is_found_and_runs() -> None:
    binary = embedded_redis.packaged_server()
    assert binary is not None
    answer = subprocess.run([str(binary), "--version"], capture_output=True, text=True, check=True)
    assert answer.stdout.startswith("Valkey server v=")


def test_the_packaged_redis_is_taken_where_path_has_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert embedded_redis.find_server() == embedded_redis.packaged_server()


def test_a_port_in_use_is_one_line_that_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.cli.client.READY_TIMEOUT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        with pytest.raises(UsageFault) as caught:
            require_free("127.0.0.1", port)
        assert free_port("127.0.0.1", port) > port
    assert str(caught.value) == (
        f"port {port} on 127.0.0.1 is in use by another program: stop that, or choose another port with --port"
    )


def test_an_address_of_another_machine_cannot_be_listened_on() -> None:
    with pytest.raises(UsageFault, match=r"cannot listen on 192\.0\.2\.1:3000: Cannot assign requested address"):
        require_free("192.0.2.1", 3000)


@pytest.mark.parametrize(
    ("host", "loopback", "url"),
    [
        ("127.0.0.1", True, "http://127.0.0.1:1"),
        ("127.9.9.9", True, "http://127.9.9.9:1"),
        ("localhost", True, "http://localhost:1"),
        ("::1", True, "http://[::1]:1"),
        ("0.0.0.0", False, "http://127.0.0.1:1"),
        ("::", False, "http://[::1]:1"),
        ("example.org", False, "http://example.org:1"),
    ],
)
def test_hosts_are_told_apart(host: str, loopback: bool, url: str) -> None:
    assert is_loopback(host) is loopback
    assert base_url(host, 1) == url


def test_an_open_address_needs_an_explicit_word() -> None:
    open_host = {"BUILDSERVER_HOST": "192.0.2.1"}
    with pytest.raises(UsageFault, match="BUILDSERVER_TRUST_NETWORK=true"):
        refuse_open_network(load_settings(open_host))
    refuse_open_network(load_settings({**open_host, "BUILDSERVER_TRUST_NETWORK": "true"}))


def test_programs_are_led_to_this_system_and_no_other(tmp_path: Path) -> None:
    environ = {"BUILDSERVER_DATA_DIR": str(tmp_path), "BUILDSERVER_API_URL": "http://other:1", "BUILDSERVER_PORT": "4"}
    plan = make_plan(environ, 5, tmp_path)
    assert plan.environ["BUILDSERVER_API_URL"] == plan.url == "http://127.0.0.1:4"
    assert str(tmp_path) in plan.environ["REDIS_URL"]
    assert str(tmp_path) in plan.environ["DATABASE_URL"]
    assert plan.environ["BUILDSERVER_ALLOW_FILE_REPOS"] == "true"


def test_a_redis_that_is_given_is_used(tmp_path: Path) -> None:
    environ = {"BUILDSERVER_DATA_DIR": str(tmp_path), "REDIS_URL": "redis://127.0.0.1:9/0"}
    plan = make_plan(environ, 5, tmp_path)
    assert plan.redis_socket is None
    assert plan.environ["REDIS_URL"] == "redis://127.0.0.1:9/0"


def test_an_open_address_does_not_open_the_files_of_the_machine(tmp_path: Path) -> None:
    environ = {
        "BUILDSERVER_DATA_DIR": str(tmp_path),
        "BUILDSERVER_HOST": "192.0.2.1",
        "BUILDSERVER_TRUST_NETWORK": "true",
    }
    assert "BUILDSERVER_ALLOW_FILE_REPOS" not in make_plan(environ, 5, tmp_path).environ
