"""What parts are forked from: a process that imported what they run, built the guard once, and does nothing else.

The fork server of `multiprocessing` can only import, so importing this module fills it. A worker that was killed serves
again in a tenth of a second, and all parts share the pages of code, rules and models. The price: one process more.
What a changed policy changed each worker builds itself; a mold that could not be filled makes starts slow, not wrong.
"""

from __future__ import annotations

import os
import signal

import structlog

from akto_proxy.cli import logs
from akto_proxy.cli import main as _main  # noqa: F401  a child imports the main module of its tree; here it is already
from akto_proxy.cli.memory import settle
from akto_proxy.cli.parent import die_with
from akto_proxy.cli.warm import warm
from akto_proxy.cli.worker import handler
from akto_proxy.config.settings import load
from akto_proxy.errors import AktoProxyError
from akto_proxy.exchange.handler import Guardrails

_log = structlog.get_logger("akto_proxy.mold")
PID = os.getpid()
"""The process that imported this: the fork server's, in it and in all that are forked from it."""


def _fill() -> Guardrails | None:
    # Who stops all processes at once must not end this one before the workers that drain; they take SIGTERM themselves.
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM,))
    die_with(os.getppid(), signal.SIGKILL)  # the fork server itself would wait for the parts, and they for it
    try:
        settings = load(os.environ)
        logs.setup(settings.log_level, settings.log_format)
        guardrails = handler(settings)
    except AktoProxyError as error:
        _log.warning("workers will start slowly: their guard could not be built before", reason=str(error))
        return None
    warm(guardrails)
    settle()
    return guardrails


GUARDRAILS = _fill()
"""Held so that the engine in it is found again (`build.engine`)."""
