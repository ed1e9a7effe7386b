"""Ends a pytest process that hangs, and shows where: the stacks of all its threads on standard error.

pytest-timeout ends a test, but not what comes after its failure, say a fixture that waits for a program to end, nor a
thread that keeps the interpreter alive at the end. Under xdist the process is replaced, and its test counts as failed.
"""

import faulthandler
import os
import sys
import threading
from collections.abc import Generator

import pytest

STDERR = 2
HANGS = 70
"""The exit status of a process that was ended."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini("watchdog", "seconds beyond a test's timeout until its process is ended", default="60")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    watchdog = threading.Timer(_limit_s(item), _end, (item,))
    watchdog.daemon = True
    watchdog.start()
    try:
        return (yield)
    finally:
        watchdog.cancel()


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Python waits for every thread before it ends. This timer is not Python's, and goes on meanwhile.

    A process of xdist's waits for all the others, and then is ended by the one that started it.
    """
    if not hasattr(config, "workerinput"):
        faulthandler.dump_traceback_later(_patience_s(config), exit=True, file=STDERR)


def _limit_s(item: pytest.Item) -> float:
    marker = item.get_closest_marker("timeout")
    timeout_s = marker.args[0] if marker else item.config.getini("timeout")
    return float(timeout_s) + _patience_s(item.config)


def _patience_s(config: pytest.Config) -> float:
    return float(config.getini("watchdog"))


def _end(item: pytest.Item) -> None:
    capture = item.config.pluginmanager.getplugin("capturemanager")
    if capture:
        capture.suspend_global_capture(in_=True)
    print(f"\n{item.nodeid} hangs; this process is ended", file=sys.__stderr__, flush=True)
    faulthandler.dump_traceback(file=STDERR)
    os._exit(HANGS)
