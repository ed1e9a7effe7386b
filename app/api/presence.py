"""Notes for the sweep that this API process is there, and knows when it cannot.

While the database is away no attempt can be given to anybody else, and after it is back every lease gets its time again
(`app.services.presence`). So heartbeats can be answered without it: a runner works on, and loses nothing.
"""

import random
import threading
import time

import structlog
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from app.models.database import Database
from app.models.database_errors import error_code
from app.models.engines import ANSWER_S
from app.services import presence

log = structlog.get_logger(__name__)

NOTES_PER_LEASE = 15
"""So five within the gap after which an API counts as away: one that is late does not make a gap."""
RARELY_S = 2.0
"""However long leases are, it is soon known that the database is away, and that it is back."""
SILENT_S = ANSWER_S
"""The first notes that are not answered have been given up by then."""
SURELY_AWAY_SHARE = 2 / 5
"""Of a lease, and longer than that gap: a last note may have reached the database without our knowing."""


class Presence:
    """One per API process; nothing is noted before `start`, and no lease stands."""

    def __init__(self, database: Database, lease_s: float) -> None:
        self._database, self._lease_s = database, lease_s
        self._noted_at: float | None = None
        self._heard_at: float | None = None
        self._stopped = threading.Event()

    def start(self) -> None:
        """Note it at once, and again and again, in a thread that ends with the process."""
        threading.Thread(target=self._run, name="presence", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    def leases_stand(self) -> bool:
        """Whether the database has been away for so long that no lease can run out before a heartbeat is heard again.

        Only what this process knows counts: where several API processes serve and one alone is cut off from the
        database, a runner that asks that one may work on for some time after its attempt was given away.
        """
        noted_at = self._noted_at
        return noted_at is not None and time.monotonic() - noted_at > self._lease_s * SURELY_AWAY_SHARE

    def database_is_silent(self) -> bool:
        """Whether the database has answered nothing, no error either, for so long that nobody should wait for it: a
        request that does keeps its thread from heartbeats, which need no database then."""
        heard_at = self._heard_at
        return heard_at is not None and time.monotonic() - heard_at > SILENT_S

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self._note()
            except (SQLAlchemyError, OSError) as error:  # the driver, too, may be short of descriptors
                if isinstance(error, DBAPIError) and error_code(error):
                    self._heard_at = time.monotonic()
                log.warning("presence not noted; leases stand until it is", error=str(getattr(error, "orig", error)))
            self._stopped.wait(min(self._lease_s / NOTES_PER_LEASE, RARELY_S) * random.uniform(0.8, 1))

    def _note(self) -> None:
        if self._database.transact(presence.note, self._lease_s):
            log.info("leases get their time anew: the API, or the database, had been away")
        self._noted_at = self._heard_at = time.monotonic()
