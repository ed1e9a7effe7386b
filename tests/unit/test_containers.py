"""The compose file and the Dockerfile speak of what exists: programs, modules, settings, ports. No daemon is needed."""

import configparser
import importlib.util
import json
import re
import shlex
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.cli.programs import server_programs
from config import commands
from config.settings import Settings, load_settings, variables

ROOT = Path(__file__).parents[2]
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
OURS = sorted(name for name, service in SERVICES.items() if "build" in service)
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def environment(service: str) -> dict[str, str]:
    """The variables with the file's own defaults filled in, as they are where the shell sets none."""
    given: dict[str, str] = SERVICES[service].get("environment", {})
    return {name: re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value) for name, value in given.items()}


def after(option: str, service: str) -> str:
    return after_in(SERVICES[service]["command"], option)


def after_in(words: list[str], option: str) -> str:
    return words[words.index(option) + 1]


def test_every_role_has_a_service() -> None:
    assert set(SERVICES) == {"api", "flower", "migrate", "orchestrator", "postgres", "redis", "runner"}
    assert OURS == ["api", "flower", "migrate", "orchestrator", "runner"]


@pytest.mark.parametrize("service", OURS)
def test_a_command_s_program_is_installed_with_the_package(service: str) -> None:
    program = SERVICES[service]["command"][0]
    assert shutil.which(program, path=str(Path(sys.executable).parent)) is not None


def test_programs_are_started_by_the_words_that_up_uses() -> None:
    """Only where Flower listens differs: within its container on every address, which is published on loopback."""
    words = {name: tuple(SERVICES[name]["command"]) for name in OURS}
    assert words == {
        "api": commands.API,
        "flower": commands.flower("0.0.0.0", 5555),
        "migrate": commands.MIGRATE,
        "orchestrator": commands.orchestrator(),
        "runner": commands.runner(),
    }


def test_the_image_without_a_command_is_the_api() -> None:
    (command,) = re.findall(r"^CMD (.+)$", DOCKERFILE, re.MULTILINE)
    assert tuple(json.loads(command)) == commands.API


def test_up_starts_the_same_words_by_its_own_python(settings: Settings) -> None:
    started = {program.name: shlex.split(program.command) for program in server_programs(settings, 3001)}
    assert started == {
        name: [sys.executable, "-m", *words]
        for name, words in {
            "api": commands.API,
            "flower": commands.flower("127.0.0.1", 3001),
            "orchestrator": commands.orchestrator(),
            "runner": commands.runner(),
        }.items()
    }


@pytest.mark.parametrize(
    "module", ["tasks.orchestrator", "tasks.runner", "tasks.monitor", "config.gunicorn", "app.wsgi"]
)
def test_a_command_names_a_module_that_exists(module: str) -> None:
    assert importlib.util.find_spec(module) is not None
    named = " ".join(word for words in (commands.orchestrator(), commands.runner(), commands.API) for word in words)
    assert module in named + " ".join(commands.flower("", 0))


@pytest.mark.parametrize("role", ["orchestrator", "runner"])
def test_a_worker_s_health_is_its_own_pulse(role: str) -> None:
    assert SERVICES[role]["healthcheck"]["test"] == ["CMD", "python", "-m", "tasks.pulse", role]


def test_the_api_is_well_while_it_answers_with_or_without_its_broker() -> None:
    """Builds are taken while Redis is away: /readyz says no then, and nobody may be kept from the API for that."""
    port = load_settings(environment("api")).port
    asked = f"urlopen('http://127.0.0.1:{port}/healthz', timeout=4)"
    (in_image,) = re.findall(r"^HEALTHCHECK .*\\\n +CMD (.+)$", DOCKERFILE, re.MULTILINE)
    for words in (SERVICES["api"]["healthcheck"]["test"][1:], json.loads(in_image)):
        assert words[:2] == ["python", "-c"]
        assert asked in words[2]


@pytest.mark.parametrize("service", OURS)
def test_settings_are_known_and_can_be_loaded(service: str) -> None:
    given = environment(service)
    assert set(given) <= {variable.name for _, variable in variables()}
    load_settings(given)


def test_the_runner_is_told_where_the_api_is_and_not_where_the_database_is() -> None:
    given = environment("runner")
    assert given["BUILDSERVER_API_URL"] == f"http://api:{load_settings(environment('api')).port}"
    assert "DATABASE_URL" not in given


def test_the_api_is_published_where_it_listens() -> None:
    settings = load_settings(environment("api"))
    assert SERVICES["api"]["ports"] == [f"127.0.0.1:3000:{settings.port}"]
    assert settings.host == "0.0.0.0"


@pytest.mark.parametrize("service", ["api", "migrate", "orchestrator"])
def test_servers_share_one_database_and_one_redis(service: str) -> None:
    postgres, settings = environment("postgres"), load_settings(environment(service))
    user, password, name = (postgres[f"POSTGRES_{part}"] for part in ("USER", "PASSWORD", "DB"))
    assert settings.database_url == f"postgresql://{user}:{password}@postgres/{name}"
    assert settings.redis_url == load_settings(environment("runner")).redis_url


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_ports_are_published_on_loopback_only(service: str) -> None:
    assert [port for port in SERVICES[service].get("ports", []) if not port.startswith("127.0.0.1:")] == []


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_a_service_starts_after_what_it_needs_is_fit_to_use(service: str) -> None:
    for needed, start in SERVICES[service].get("depends_on", {}).items():
        waits_for_end = needed == "migrate"
        assert start["condition"] == ("service_completed_successfully" if waits_for_end else "service_healthy")
        assert waits_for_end or "test" in SERVICES[needed]["healthcheck"]


def test_postgresql_is_well_once_it_listens_to_others() -> None:
    """While a new volume is set up a server runs that is reached by its socket only; migrations would fail on it."""
    assert after_in(SERVICES["postgres"]["healthcheck"]["test"], "--host") == "127.0.0.1"


def test_a_migration_that_fails_is_told_of_and_not_tried_for_ever() -> None:
    assert SERVICES["migrate"]["restart"] == "no"


@pytest.mark.parametrize("service", sorted(set(SERVICES) - {"migrate"}))
def test_a_service_that_stays_says_whether_it_is_well(service: str) -> None:
    assert SERVICES[service]["healthcheck"]["test"]


def test_redis_keeps_its_queues() -> None:
    assert (after("--appendonly", "redis"), after("--maxmemory-policy", "redis")) == ("yes", "noeviction")


def test_the_image_is_pinned_by_the_lock_and_runs_without_root() -> None:
    last_stage = DOCKERFILE.split("\nFROM ")[-1]
    assert "--require-hashes --no-deps -r requirements.lock" in DOCKERFILE
    assert "\nUSER buildserver\n" in last_stage
    assert last_stage.index("USER buildserver") < last_stage.index("\nCMD")
    assert "HEALTHCHECK" in last_stage


def test_what_the_dockerfile_needs_is_let_into_its_context() -> None:
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    packages = {name for name in setup["options.packages.find"]["include"].split() if "." not in name}
    assert packages | {"requirements.lock", "setup.cfg", "pyproject.toml"} <= let_in
