"""The REST API: a blueprint per tag of the contract, and nothing in a view but its decorators and a call."""
