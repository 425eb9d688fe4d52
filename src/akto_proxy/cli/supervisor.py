"""One tree of processes: the parts of the product run apart and are kept running.

A part that dies is started again, slower each time it dies young, and nobody else is disturbed. SIGTERM and SIGINT stop
all (workers first, so that what they recorded is still shipped); SIGHUP, or a changed policy file, makes the parts that
can reload do so at once. Each part is a fresh interpreter, as forking a process that has threads and event loops is a
bet, or is forked from one that never had any: the mold (`mold.py`), which imported and built what the part needs.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import FrameType
from typing import Any

import structlog

from akto_proxy.cli import logs
from akto_proxy.cli.parent import die_with
from akto_proxy.cli.pulled import Stamp, stamp
from akto_proxy.errors import AktoProxyError

_log = structlog.get_logger("akto_proxy.supervisor")
_YOUNG = 10.0
"""Seconds within which a death counts as a failed start."""
_LONGEST_WAIT = 30.0
_LATER = (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
"""Signals that would end an interpreter which has no handler for them yet."""
CANNOT = 78
"""Exit code of a part that cannot run as things are (EX_CONFIG of sysexits.h): a failed start, however slow it was."""
WAIT = 15.0
"""Seconds that the parts before a part with a port wait for it at most."""


@dataclass(frozen=True, slots=True)
class Part:
    """A process to keep running; `reloads` ones get SIGHUP.

    Parts stop in the order they are listed and start in the opposite one, so a part may rely on those after it. Where
    `port` is given, the parts before it wait until it listens on loopback (or WAIT seconds have passed).
    """

    name: str
    target: Callable[..., None]
    arguments: tuple[Any, ...] = ()
    reloads: bool = False
    grace: float = 10.0
    port: int = 0


@dataclass(slots=True)
class _Running:
    part: Part
    process: BaseProcess | None = None
    began: float = 0.0
    failures: int = 0
    due: float = 0.0


@dataclass(slots=True)
class Supervisor:
    """Keeps parts running until told to stop.

    Args:
        parts: what to run.
        watched: files whose change means reload, as SIGHUP does.
        clock: seconds that only grow.
        mold: the module that what all parts are forked from imports; without one, each is a fresh interpreter.
    """

    parts: Sequence[Part]
    watched: Sequence[Path] = ()
    clock: Callable[[], float] = time.monotonic
    mold: str = ""
    _running: list[_Running] = field(default_factory=list)
    _stopping: bool = False
    _reload: bool = False
    _stamp: Stamp = ()

    def start(self) -> None:
        """Start every part and take over this process's signals."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.stop())
        signal.signal(signal.SIGHUP, lambda *_: self._ask_reload())
        logs.follow_signals()
        for number in (signal.SIGUSR1, signal.SIGUSR2):
            self._pass_on(number)
        self._stamp = self._stamped()
        self._running = [_Running(part) for part in self.parts]
        for item in reversed(self._running):
            self._start(item)
            if item.part.port:
                self._await(item.part.port)

    def stop(self) -> None:
        """Make `run` end."""
        self._stopping = True

    def run(self) -> None:
        """Watch over the parts until a signal says stop, then stop them in order."""
        while not self._stopping:
            self.turn(0.5)
        self._stop_all()

    def turn(self, seconds: float) -> None:
        """Wait up to `seconds` for something to happen, and do what it asks for."""
        alive = {item.process.sentinel: item for item in self._running if item.process is not None}
        soonest = min((item.due for item in self._running if item.process is None), default=float("inf"))
        for sentinel in wait(list(alive), timeout=max(0.0, min(seconds, soonest - self.clock()))):
            self._died(alive[sentinel])  # type: ignore[index]  # what `wait` gives is what it was given
        now = self.clock()
        for item in self._running:
            if item.process is None and now >= item.due and not self._stopping:
                self._start(item)
        if self._reload or self._stamped() != self._stamp:
            self._send_reload()

    def _await(self, port: int) -> None:
        until = self.clock() + WAIT
        while self.clock() < until and not self._stopping:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=0.5):
                return
            time.sleep(0.02)

    def _start(self, item: _Running) -> None:
        multiprocessing.set_forkserver_preload([self.mold] if self.mold else [])
        make: Callable[..., BaseProcess] = (
            multiprocessing.get_context("forkserver").Process
            if self.mold
            else multiprocessing.get_context("spawn").Process
        )
        parent = self.mold or os.getpid()
        item.process = make(
            target=_run_part, args=(parent, item.part.target, *item.part.arguments), name=item.part.name
        )
        signal.pthread_sigmask(signal.SIG_BLOCK, _LATER)  # inherited: the part takes them once it can
        item.process.start()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _LATER)
        item.began = self.clock()
        _log.info("a part starts", part=item.part.name, pid=item.process.pid)

    def _died(self, item: _Running) -> None:
        assert item.process is not None
        item.process.join()  # its pipe is closed, so it is ending; only now is it surely reaped
        code = item.process.exitcode
        item.process.close()
        item.process = None
        young = code == CANNOT or self.clock() - item.began < _YOUNG
        item.failures = item.failures + 1 if young else 0
        pause = min(0.1 * 2**item.failures, _LONGEST_WAIT) if young else 0.0
        item.due = self.clock() + pause
        if not self._stopping:
            _log.error("a part ended and is started again", part=item.part.name, code=code, pause=round(pause, 1))

    def _ask_reload(self) -> None:
        self._reload = True

    def _pass_on(self, number: signal.Signals) -> None:
        """Give a signal to every part too, after what it does here."""
        here = signal.getsignal(number)

        def handle(got: int, frame: FrameType | None) -> None:
            if callable(here):
                here(got, frame)
            for item in self._running:
                if item.process is not None and item.process.pid is not None:
                    os.kill(item.process.pid, number)

        signal.signal(number, handle)

    def _send_reload(self) -> None:
        self._reload = False
        self._stamp = self._stamped()
        for item in self._running:
            if item.part.reloads and item.process is not None and item.process.pid is not None:
                os.kill(item.process.pid, signal.SIGHUP)

    def _stamped(self) -> Stamp:
        # A file that is not there is as it was: it is being replaced, so look again next time.
        before = self._stamp or (None,) * len(self.watched)
        return tuple(new or old for new, old in zip(stamp(self.watched), before, strict=True))

    def _stop_all(self) -> None:
        for item in self._running:
            if item.process is not None:
                item.process.terminate()
            following = self._running.index(item) + 1
            if following < len(self._running) and self._running[following].part.grace == item.part.grace:
                continue  # parts of one kind stop together
            self._join(item.part.grace)

    def _join(self, grace: float) -> None:
        until = self.clock() + grace
        for item in self._running:
            if item.process is None or item.part.grace != grace:
                continue
            item.process.join(max(0.1, until - self.clock()))
            if item.process.exitcode is None:
                _log.error("a part did not stop in time and was killed", part=item.part.name)
                item.process.kill()
                item.process.join(5)


def _run_part(parent: int | str, target: Callable[..., None], *arguments: Any) -> None:
    """In the child: die with the parent (a killed supervisor must not leave workers behind), then run the part.

    `parent` is its process id, or the module of the mold: that ends with the supervisor.
    """
    die_with(parent if isinstance(parent, int) else sys.modules[parent].PID)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    logs.follow_signals()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (*_LATER, signal.SIGTERM))
    try:
        target(*arguments)
    except AktoProxyError as error:
        _log.error("a part cannot run", reason=str(error))
        sys.exit(CANNOT)
