"""The compose file and the Dockerfile speak of what exists: programs, modules, settings, ports. No daemon is needed."""

import configparser
import importlib.util
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from config.settings import load_settings, variables

ROOT = Path(__file__).parents[2]
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
OURS = sorted(name for name, service in SERVICES.items() if "build" in service)
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def environment(service: str) -> dict[str, str]:
    """The variables with the file's own defaults filled in, as they are where the shell sets none."""
    given: dict[str, str] = SERVICES[service].get("environment", {})
    return {name: re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value) for name, value in given.items()}


def after(option: str, service: str) -> str:
    command: list[str] = SERVICES[service]["command"]
    return command[command.index(option) + 1]


def test_every_role_has_a_service() -> None:
    assert set(SERVICES) == {"api", "flower", "migrate", "orchestrator", "postgres", "redis", "runner"}
    assert OURS == ["api", "flower", "migrate", "orchestrator", "runner"]


@pytest.mark.parametrize("service", OURS)
def test_a_command_s_program_is_installed_with_the_package(service: str) -> None:
    program = SERVICES[service]["command"][0]
    assert shutil.which(program, path=str(Path(sys.executable).parent)) is not None


@pytest.mark.parametrize(
    ("service", "module"),
    [
        ("migrate", "app.models.migrate"),
        ("orchestrator", "tasks.orchestrator"),
        ("runner", "tasks.runner"),
        ("flower", "tasks.orchestrator"),
    ],
)
def test_a_command_names_a_module_that_exists(service: str, module: str) -> None:
    assert after("-m" if service == "migrate" else "-A", service) == module
    assert importlib.util.find_spec(module) is not None


def test_the_api_s_command_names_a_factory_that_exists() -> None:
    module, _, factory = SERVICES["api"]["command"][-1].partition(":")
    spec = importlib.util.find_spec(module)
    assert spec is not None and spec.origin is not None
    assert f"def {factory.removesuffix('()')}(" in Path(spec.origin).read_text()


@pytest.mark.parametrize("service", OURS)
def test_settings_are_known_and_can_be_loaded(service: str) -> None:
    given = environment(service)
    assert set(given) <= {variable.name for _, variable in variables()}
    load_settings(given)


def test_workers_take_from_the_queues_that_are_published_to() -> None:
    pool = load_settings(environment("runner")).pool
    assert (after("-Q", "orchestrator"), after("-Q", "runner")) == ("orchestrate", f"run.{pool}")


def test_the_runner_is_told_where_the_api_is_and_not_where_the_database_is() -> None:
    given = environment("runner")
    port = after("-b", "api").rpartition(":")[2]
    assert given["BUILDSERVER_API_URL"] == f"http://api:{port}"
    assert "DATABASE_URL" not in given


@pytest.mark.parametrize("service", sorted(set(OURS) - {"runner"}))
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
