"""What Flower shows of a build, and that no password is in anything a program prints, answers or shows."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
import urllib3

from config import commands
from tests.integration.tasks.system import System
from tests.support.ports import free_port
from tests.support.postgres import PostgresServer
from tests.support.program import Program
from tests.support.redis_server import RedisServer
from tests.support.wait import eventually

CANARY = "canary-3f9a1c"
OFTEN = {"BUILDSERVER_SWEEP_INTERVAL_S": "0.2", "BUILDSERVER_CLAIM_DEADLINE_S": "0.5"}
PAGES = ("/", "/tasks", "/broker", "/api/workers", "/api/tasks", "/api/task/types", "/worker/orchestrator@nowhere")


@pytest.fixture
def system(postgres: PostgresServer, broker: RedisServer, tmp_path: Path) -> Iterator[System]:
    """A system whose URLs both hold the canary: Redis asks for it, PostgreSQL is told it."""
    port = free_port()
    with postgres.database() as url, redis.Redis.from_url(broker.url) as client:
        made = System(url.replace("postgres@", f"postgres:{CANARY}@", 1), broker, tmp_path)
        client.config_set("port", port)
        client.config_set("requirepass", CANARY)
        made.settings |= {"REDIS_URL": f"redis://:{CANARY}@127.0.0.1:{port}/0", **OFTEN}
        yield made
        made.close()
        client.config_set("requirepass", "")


def flower(system: System) -> tuple[Program, str]:
    port = free_port()
    settings = {"FLOWER_UNAUTHENTICATED_API": "true", "DATABASE_URL": ""}
    program = system.start(commands.flower("127.0.0.1", port), **settings)
    url = f"http://127.0.0.1:{port}"
    eventually(lambda: answers(f"{url}/healthcheck"), describe=lambda: program.text)
    return program, url


def answers(url: str) -> bool:
    try:
        return urllib3.request("GET", url, retries=False, timeout=5.0).status == 200
    except urllib3.exceptions.HTTPError:
        return False


def shown(url: str) -> str:
    return urllib3.request("GET", url, retries=False, timeout=10.0).data.decode()


def tasks_in(url: str) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = urllib3.request("GET", f"{url}/api/tasks", timeout=10.0).json()
    return list(found.values())


def test_flower_shows_each_task_with_its_name_its_ids_and_its_worker(system: System) -> None:
    _, url = flower(system)
    system.api()
    system.orchestrator()
    system.runner()
    build = system.build()
    system.celery.send_task("builds.plan", (build,))
    eventually(lambda: system.statuses(build) == ["SUCCESS", "SUCCESS"])
    (step,) = system.step_ids(build)
    wanted = {("builds.plan", f"('{build}',)", "orchestrator"), ("steps.run", f"('{step}', 1)", "runner")}

    def rows() -> set[tuple[str, str, str]]:
        return {(task["name"], task["args"], str(task.get("worker")).partition("@")[0]) for task in tasks_in(url)}

    eventually(lambda: wanted <= rows(), describe=lambda: str(rows()))


def test_no_password_is_in_any_line_answer_or_page(system: System) -> None:
    """Celery hides a password in its own lines, but not what stands in the user's place, as a token often does."""
    watching, url = flower(system)
    programs = [watching, system.api(), system.orchestrator(), system.runner()]
    build = system.build()
    eventually(lambda: system.statuses(build) == ["SUCCESS", "SUCCESS"], describe=lambda: programs[2].text)
    bodies = [shown(f"{url}{page}") for page in PAGES]
    wrong = system.settings["REDIS_URL"].replace(f":{CANARY}", f"{CANARY}:wrong")
    refused = system.start(commands.orchestrator(), REDIS_URL=wrong)
    eventually(lambda: "Cannot connect to redis" in refused.text, describe=lambda: refused.text)
    api = f"http://127.0.0.1:{system.port}"
    system.broker.stop()
    bodies.append(shown(f"{api}/readyz"))
    eventually(lambda: "Connection refused" in programs[2].text, describe=lambda: programs[2].text)
    system.broker.start()
    everything = bodies + [program.text for program in (*programs, refused)]
    assert "the broker cannot be reached" in bodies[-1]
    assert [text for text in everything if CANARY in text] == []
