"""JSON that anybody may have written, a step or a proxy: it is one object of finite values, or a ValueError."""

import json
import math
from typing import Any, NoReturn


def json_object(content: bytes) -> dict[str, Any]:
    """What the bytes say; nothing of it is looked at but that it is an object."""
    try:
        read = json.loads(content, parse_float=_finite, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(read, dict):
        raise ValueError("no JSON object")
    return read


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        _refuse(digits)
    return number


def _refuse(value: str) -> NoReturn:
    raise ValueError(f"{value} is no number")
