"""Turns the text of one environment variable into a typed value, or into one line that says what is wrong with it.

A parser takes the text and returns the value, or raises ValueError with what was expected instead. Knows nothing of
which variables there are.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config.redaction import without_credentials

UNITS = {"": 1, "kib": 1024, "mib": 1024**2, "gib": 1024**3}
FLAGS = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}


class SettingsError(Exception):
    """One line for the person who set the variable; credentials in the value are not repeated."""

    def __init__(self, variable: str, value: str, expected: str) -> None:
        super().__init__(f"{variable}={without_credentials(value)!r}: expected {expected}")


@dataclass(frozen=True)
class Variable:
    """Where a setting comes from. `default` is text like the variable's own; {names} in it are earlier settings."""

    name: str
    default: str
    parse: Callable[[str], Any]

    def read(self, text: str) -> Any:
        try:
            return self.parse(text)
        except ValueError as error:
            raise SettingsError(self.name, text, str(error)) from None


def whole(least: int, most: int) -> Callable[[str], int]:
    """A whole number within bounds, both included."""

    def parse(text: str) -> int:
        if not re.fullmatch(r"-?\d{1,18}", text, re.ASCII) or not least <= int(text) <= most:
            raise ValueError(f"a whole number from {least} to {most}")
        return int(text)

    return parse


def seconds(least: float, most: float) -> Callable[[str], float]:
    """A duration within bounds, both included; fractions are fine."""

    def parse(text: str) -> float:
        if not re.fullmatch(r"\d{1,9}(\.\d{1,9})?", text, re.ASCII) or not least <= float(text) <= most:
            raise ValueError(f"a number of seconds from {least:g} to {most:g}")
        return float(text)

    return parse


def size_bytes(least: int = 1, most: int | None = None) -> Callable[[str], int]:
    """A size within bounds, both included: 1048576, 1024 KiB, 1 MiB."""

    def parse(text: str) -> int:
        match = re.fullmatch(r"(\d{1,15}) ?([kmg]ib)?", text, re.ASCII | re.IGNORECASE)
        if match is None:
            raise ValueError("a size such as 1048576, 512 KiB, 64 MiB or 1 GiB")
        size = int(match[1]) * UNITS[(match[2] or "").lower()]
        if size < least:
            raise ValueError(f"a size of at least {least} bytes")
        if most is not None and size > most:
            raise ValueError(f"a size of at most {most} bytes")
        return size

    return parse


def flag(text: str) -> bool:
    if text.lower() not in FLAGS:
        raise ValueError("true or false")
    return FLAGS[text.lower()]


def choice(*words: str) -> Callable[[str], str]:
    """One of the words, in any case; the value is the word as it is spelled here."""

    def parse(text: str) -> str:
        for word in words:
            if word.lower() == text.lower():
                return word
        raise ValueError(" or ".join(words))

    return parse


def matching(pattern: str, expected: str) -> Callable[[str], str]:
    """Text that the pattern matches from end to end; `expected` says in words what that is."""

    def parse(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(expected)
        return text

    return parse


def folder(text: str) -> Path:
    """An absolute path, ~ expanded; the folder need not exist."""
    try:
        return Path(text).expanduser().absolute()
    except RuntimeError:
        raise ValueError("a folder; there is no such user") from None
