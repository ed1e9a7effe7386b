"""How much of something a client may send, where the API, the tables and the workflow file must say the same."""

NAME_LENGTH = 100
"""Characters in the name of a project, a workflow or a step; the contract's figure, as is the next."""
SLUG_LENGTH = 50
MAX_TIMEOUT_S = 86_400
"""A day: what runs longer is not a build any more."""
MAX_RETRIES = 10
MAX_INTEGER = 2**31 - 1
"""The largest number that the databases' integer columns hold."""
