"""Every guard that has a test to notice it."""

from tests.guards.of_messages import OF_MESSAGES
from tests.guards.of_rows import OF_ROWS
from tests.guards.of_runners import OF_RUNNERS
from tests.guards.of_serving import OF_SERVING

GUARDS = OF_ROWS + OF_MESSAGES + OF_RUNNERS + OF_SERVING
