"""Keeps the credentials that URLs carry out of everything that is printed."""

import re

USERINFO = re.compile(r"(?<=://)[^\s/?#\"<>\\]*@")
"""All of it, not only a password: a token often stands in the user's place. A password may hold an apostrophe."""


def without_credentials(text: str) -> str:
    """The text with `user:password@` and `token@` in its URLs made unreadable. The name that ssh logs in by stays: what
    lets it in is a key."""
    return USERINFO.sub(_masked, text)


def _masked(userinfo: re.Match[str]) -> str:
    is_login = userinfo.string.endswith("ssh://", 0, userinfo.start()) and ":" not in userinfo[0]
    return userinfo[0] if is_login else "***@"
