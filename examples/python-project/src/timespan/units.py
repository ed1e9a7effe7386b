"""The units that a duration is made of, from long to short, in milliseconds so that every one is a whole number."""

MILLISECONDS = {
    "w": 7 * 24 * 60 * 60 * 1000,
    "d": 24 * 60 * 60 * 1000,
    "h": 60 * 60 * 1000,
    "m": 60 * 1000,
    "s": 1000,
    "ms": 1,
}
