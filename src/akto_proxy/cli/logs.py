"""Structured logs: one event, a few facts, never a text under protection.

Callers pass ids, counts and reasons. As a second net, values under keys that could hold a text or a credential are
dropped here. JSON for machines, colours for a terminal; the level can be changed while running.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
from typing import Any

import structlog

_FORBIDDEN = frozenset(
    ("authorization", "body", "content", "cookie", "messages", "password", "prompt", "secret", "text", "token")
)
_level = {"now": logging.INFO, "chosen": logging.INFO}


def setup(level: str, form: str) -> None:
    """Configure logging for this process: `level` is a name such as INFO, `form` is auto, json or console."""
    _level["chosen"] = logging.getLevelNamesMapping()[level]
    set_level(level)
    console = for_people(form)
    renderer: Any = structlog.dev.ConsoleRenderer() if console else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            _filter,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _drop_forbidden,
            structlog.processors.format_exc_info if console else _exception_name,
            renderer,
        ],
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )


def for_people(form: str) -> bool:
    """Whether logs in this form are for people's eyes here, not for machines."""
    return form == "console" or (form == "auto" and sys.stderr.isatty())


def follow_signals() -> None:
    """Let SIGUSR1 ask for everything (DEBUG) and SIGUSR2 for the level of `setup` again. For the main thread."""
    signal.signal(signal.SIGUSR1, lambda *_: _told("DEBUG"))
    signal.signal(signal.SIGUSR2, lambda *_: _told(logging.getLevelName(_level["chosen"])))


def _told(level: str) -> None:
    set_level(level)
    with contextlib.suppress(RuntimeError):  # the signal came in the middle of a line that is being written
        structlog.get_logger("akto_proxy").error("log level changed", now=level, pid=os.getpid())


def set_level(level: str) -> None:
    """Change the level of this process from now on."""
    _level["now"] = logging.getLevelNamesMapping()[level]


def _filter(_: Any, method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    if logging.getLevelNamesMapping().get(method.upper(), logging.INFO) < _level["now"]:
        raise structlog.DropEvent
    return event


def _drop_forbidden(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    for key in [key for key in event if key in _FORBIDDEN]:
        event[key] = "(never logged)"
    return event


def _exception_name(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Tracebacks may quote source lines but locals never; messages of foreign errors may quote input, so only names."""
    info = event.pop("exc_info", None)
    if isinstance(info, BaseException):
        event["exception"] = type(info).__name__
    elif info:
        kind = sys.exc_info()[0]
        event["exception"] = kind.__name__ if kind else ""
    return event
