"""Durations as people write them: `1h 30m`, `250ms`, `2 d`."""
