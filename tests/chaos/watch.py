"""Looks at builds while the storm goes on, so that a final status that changed later would be seen."""

import threading

from tests.chaos import history
from tests.chaos.client import Client

LOOK_EVERY_S = 2.0
FINAL = ("SUCCESS", "FAILED")


class Watch(threading.Thread):
    """`seen` has the statuses of each build and of its steps, as they were when it was first seen final."""

    def __init__(self, client: Client, project: str) -> None:
        super().__init__(name="watch", daemon=True)
        self._client, self._project = client, project
        self._over = threading.Event()
        self.seen: dict[str, dict[str, str]] = {}

    def run(self) -> None:
        while not self._over.wait(LOOK_EVERY_S):
            for build in builds(self._client, self._project):
                if build["status"] in FINAL and build["id"] not in self.seen:
                    self.seen[build["id"]] = history.statuses(self._client, build["id"])

    def stop(self) -> None:
        self._over.set()
        self.join()


def builds(client: Client, project: str) -> list[dict[str, str]]:
    """All there are, as the API lists them."""
    found: list[dict[str, str]] = client.get(f"/api/projects/{project}/builds?limit={history.PAGE}")["builds"]
    return found
