"""Keeps the credentials that URLs carry out of everything that is printed."""

import re

USERINFO = re.compile(r"(?<=://)[^\s/?#\"'<>\\]*@")
"""All of it, not only a password: a token often stands in the user's place."""


def without_credentials(text: str) -> str:
    """The text with `user:password@` and `token@` in its URLs made unreadable."""
    return USERINFO.sub("***@", text)
