"""Which names of repositories, commits, branches, images, pools and paths are accepted, and why others are not.

Each `check_…` returns the sentence to show for a value that is refused and None for one that is fine. The `…_PATTERN`s
are what the OpenAPI document shows, so that a client can check before it sends. Python's `$` also matches before a line
break at the end, so every value here is matched with `fullmatch`.
"""

import re

_USER = r"([A-Za-z0-9._~!$&'()*+,;=:]|%[0-9A-Fa-f]{2})([A-Za-z0-9._~!$&'()*+,;=:-]|%[0-9A-Fa-f]{2})*@"
_HOST = r"([A-Za-z0-9_][A-Za-z0-9._-]*|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?"
_REST = r"([A-Za-z0-9._~:/?@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*"
URL_PATTERN = rf"^(https?|ssh|git)://({_USER})?{_HOST}(/{_REST})?$"
FILE_PATTERN = rf"^file:///{_REST}$"
SCP_PATTERN = r"^[A-Za-z0-9_][A-Za-z0-9._-]*@[A-Za-z0-9][A-Za-z0-9.-]*:[A-Za-z0-9._~/+][A-Za-z0-9._~/+-]*$"
REPOSITORY_PATTERN = f"{URL_PATTERN}|{FILE_PATTERN}"
"""Without the scp form, which is taken too but is no URI as the contract asks for one."""
COMMIT_PATTERN = r"^[0-9a-fA-F]{7,64}$"
POOL_PATTERN = r"^[a-z0-9][a-z0-9-]{0,62}$"
ENV_NAME_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]*$"
MAX_REFERENCE_LENGTH = 2_000
"""No repository, branch, image or path of a real project comes near; it bounds what one row can hold."""

BASH_S_OWN_VARIABLES = frozenset(
    {
        "_", "BASH", "BASHOPTS", "BASHPID", "BASH_ALIASES", "BASH_ARGC", "BASH_ARGV", "BASH_ARGV0", "BASH_CMDS",
        "BASH_COMMAND", "BASH_EXECUTION_STRING", "BASH_LINENO", "BASH_SOURCE", "BASH_SUBSHELL", "BASH_VERSINFO",
        "BASH_VERSION", "COMP_WORDBREAKS", "DIRSTACK", "EPOCHREALTIME", "EPOCHSECONDS", "EUID", "FUNCNAME", "GROUPS",
        "HISTCMD", "IFS",
        "LINENO", "OLDPWD", "OPTERR", "OPTIND", "PIPESTATUS", "PPID", "PWD", "RANDOM", "SECONDS", "SHELLOPTS",
        "SHLVL", "SRANDOM", "UID",
    }
)  # fmt: skip
"""Names bash refuses to assign or sets itself: a script would not start, or not see the value that was sent."""

_IMAGE = re.compile(
    r"(?:[a-z0-9]+(?:[.-][a-z0-9]+)*(?::[0-9]+)?/)?"  # the registry's host and port
    r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?"
    r"(?:@[a-z0-9]+(?:[+._-][a-z0-9]+)*:[0-9a-fA-F]{32,})?"
)
_IMAGE_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!-~]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_REF_FORBIDDEN = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{")


def check_repo_url(value: str, allow_file: bool) -> str | None:
    """https, http, ssh and git URLs and `user@host:path`; file URLs only where the server allows them."""
    if len(value) > MAX_REFERENCE_LENGTH:
        return f"is longer than {MAX_REFERENCE_LENGTH} characters"
    if re.fullmatch(SCP_PATTERN, value) or re.fullmatch(URL_PATTERN, value):
        return None
    if not re.fullmatch(FILE_PATTERN, value):
        return "must be an https, http, ssh or git URL, or user@host:path"
    if not allow_file:
        return "file URLs are not allowed on this server; set BUILDSERVER_ALLOW_FILE_REPOS=true to allow them"
    return None


def check_commit_hash(value: str) -> str | None:
    if re.fullmatch(COMMIT_PATTERN, value):
        return None
    return "must be a commit hash: 7 to 64 hexadecimal digits"


def check_branch(value: str) -> str | None:
    """git's own rules for ref names (`git help check-ref-format`), and nothing that looks like an option."""
    parts = value.split("/")
    wrong = (
        len(value) > MAX_REFERENCE_LENGTH
        or value == "@"
        or value.startswith("-")
        or value.endswith(".")
        or bool(_REF_FORBIDDEN.search(value))
        or any(part == "" or part.startswith(".") or part.endswith(".lock") for part in parts)
    )
    return "is not a branch name that git accepts" if wrong else None


def check_image_url(value: str) -> str | None:
    if len(value) <= MAX_REFERENCE_LENGTH and (_IMAGE.fullmatch(value) or _IMAGE_URI.fullmatch(value)):
        return None
    return "must be an image reference such as alpine:3.20, or a URI such as docker://alpine:3.20"


def check_workspace_path(value: str) -> str | None:
    """A relative path, or a pattern of one, that cannot name anything outside the workspace."""
    if not value or len(value) > MAX_REFERENCE_LENGTH or _CONTROL.search(value):
        return "must be a path without control characters"
    if value.startswith(("/", "~", "-")):
        return "must be relative to the workspace, and must not begin with '~' or '-'"
    if ".." in value.split("/"):
        return "must not leave the workspace"
    return None


def check_cache_dir(value: str) -> str | None:
    """A directory of the workspace, or one below the step's home: `~/…`."""
    inside = value.removeprefix("~/")
    if inside.startswith(("/", "~", "-")):
        return "must be relative to the workspace, or begin with '~/'"
    return check_workspace_path(inside)


def check_env_name(value: str) -> str | None:
    if value in BASH_S_OWN_VARIABLES:
        return "is a variable that bash sets itself"
    if re.fullmatch(ENV_NAME_PATTERN, value):
        return None
    return "must be a name that bash can assign: letters, digits and '_', not beginning with a digit"


def check_pool(value: str) -> str | None:
    if re.fullmatch(POOL_PATTERN, value):
        return None
    return "must be lower-case letters, digits and '-', not beginning with '-', at most 63 of them"
