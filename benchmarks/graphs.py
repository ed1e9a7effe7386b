"""Measures graphs of 10,000 steps on both databases: `python -m benchmarks.graphs [--json]`.

Validation alone; the use case behind POST of the workflow and of a build; and, in that build, the plan, one success
and the failure of the root. PostgreSQL is the tests' own: a real server, whose disk is not waited for.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from app.domain.graph import GraphLimits, Node, graph_faults
from app.models.database import Database
from app.services import builds
from app.services.builds import BuildRequest
from tests.integration.plant import FAILURE, Plant
from tests.support.databases import KINDS, migrated

STEPS = 10_000
LAYER = 100
NEEDS = 10
LIMITS = GraphLimits(STEPS, 10 * STEPS)
Figures = dict[str, float]


def chain() -> dict[str, list[str]]:
    return {str(i): [str(i - 1)] if i else [] for i in range(STEPS)}


def fan() -> dict[str, list[str]]:
    middle = [str(i) for i in range(1, STEPS - 1)]
    return {"0": [], **{name: ["0"] for name in middle}, str(STEPS - 1): middle}


def layers() -> dict[str, list[str]]:
    """100 layers of 100; each step depends on ten of the layer before."""
    return {
        str(i): [str((i // LAYER - 1) * LAYER + (i + j) % LAYER) for j in range(NEEDS)] if i >= LAYER else []
        for i in range(STEPS)
    }


SHAPES: Mapping[str, Callable[[], dict[str, list[str]]]] = {"chain": chain, "1-9998-1": fan, "100 x 100": layers}


def seconds(action: Callable[[], object]) -> float:
    begun = time.perf_counter()
    action()
    return round(time.perf_counter() - begun, 4)


def validation(depends_on: Mapping[str, Sequence[str]]) -> float:
    nodes = [Node(name, needs) for name, needs in depends_on.items()]
    return seconds(lambda: graph_faults(nodes, LIMITS))


def life(plant: Plant, depends_on: Mapping[str, Sequence[str]]) -> Figures:
    """How long each thing takes with one such workflow and two builds of it."""
    figures: Figures = {}
    workflow: list[str] = []
    figures["post workflow"] = seconds(lambda: workflow.append(plant.workflow(depends_on)))
    created: list[str] = []
    request = BuildRequest(workflow[0])
    create = partial(plant.database.transact, builds.create, plant.project, request)
    figures["post build"] = seconds(lambda: created.append(create().id))
    created.append(create().id)
    first, second = (plant.ids(build_id) for build_id in created)
    figures["plan"] = seconds(lambda: plant.plan(first.build))
    plant.plan(second.build)
    claims = plant.claim(first.steps["0"]), plant.claim(second.steps["0"])
    figures["complete root"] = seconds(lambda: plant.complete(claims[0].run.id))
    figures["complete next"] = _next(plant, first.steps["1"])
    figures["fail root"] = seconds(lambda: plant.complete(claims[1].run.id, FAILURE))
    return figures


def _next(plant: Plant, step_id: str) -> float:
    plant.claim(step_id)
    return seconds(lambda: plant.complete(step_id))


@contextmanager
def databases() -> Iterator[dict[str, Database]]:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        urls = {kind: stack.enter_context(migrated(kind, Path(folder))) for kind in KINDS}
        opened = {kind: Database(url) for kind, url in urls.items()}
        yield opened
        for database in opened.values():
            database.dispose()


def measure() -> dict[str, Figures]:
    """Seconds by shape and database."""
    results: dict[str, Figures] = {}
    with databases() as opened:
        plants = {name: Plant(database) for name, database in opened.items()}
        for shape, make in SHAPES.items():
            results[f"{shape}, domain"] = {"validate": validation(make())}
            results.update({f"{shape}, {name}": life(plant, make()) for name, plant in plants.items()})
    return results


def table(results: Mapping[str, Figures]) -> str:
    """One line for each figure."""
    lines = [f"{where:<24} {what:<16} {s:>9.4f} s" for where, figures in results.items() for what, s in figures.items()]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure graphs of 10,000 steps on both databases.")
    parser.add_argument("--json", action="store_true", help="print JSON in place of the table")
    as_json = parser.parse_args().json
    results = measure()
    print(json.dumps(results, indent=2) if as_json else table(results))


if __name__ == "__main__":
    main()
