"""N worker processes that share a port, kept alive by one parent that serves nothing itself.

Each is spawned, not forked: it starts from the same clean state as the first. One that dies is started again after a
pause that doubles while it keeps dying (0.5 s to 30 s) and is forgotten after a minute of life. The kernel spreads
connections over the workers (SO_REUSEPORT); a connection stays with its worker.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from types import FrameType
from typing import Any

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0
_HEALTHY_AFTER = 60.0


@dataclass(slots=True)
class _Slot:
    index: int
    process: BaseProcess | None = None
    started: float = 0.0
    pause: float = _FIRST_PAUSE
    due: float = 0.0


class Supervisor:
    """Runs `work(index, *args)` in `count` processes until SIGTERM or SIGINT; SIGHUP is passed on.

    `work` and `args` must be picklable. `drain` is how long the workers have to end before they are killed.
    """

    def __init__(
        self,
        work: Callable[..., None],
        args: tuple[Any, ...] = (),
        *,
        count: int,
        drain: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
        say: Callable[[str], None] | None = None,
    ) -> None:
        self._work = work
        self._args = args
        self._drain = drain
        self._clock = clock
        self._say = say or _silent
        self._slots = [_Slot(index) for index in range(count)]
        self._context = multiprocessing.get_context("spawn")
        self._ending = False
        self._hangup = False

    def run(self) -> int:
        """Block until all workers have ended; 0 when each ended by itself in time, else 1."""
        inbox, outbox = socket.socketpair()
        outbox.setblocking(False)
        previous = signal.set_wakeup_fd(outbox.fileno(), warn_on_full_buffer=False)
        for name in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(name, self._on_signal)
        try:
            while not self._ending:
                self._start_due()
                self._wait(inbox)
                self._pass_hangup()
            return self._end()
        finally:
            signal.set_wakeup_fd(previous)
            inbox.close()
            outbox.close()

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        if number == signal.SIGHUP:
            self._hangup = True
        else:
            self._ending = True

    def _start_due(self) -> None:
        now = self._clock()
        for slot in self._slots:
            if slot.process is None and now >= slot.due:
                slot.process = self._context.Process(
                    target=self._work, args=(slot.index, *self._args), name=f"akto-proxy-worker-{slot.index}"
                )
                slot.process.start()
                slot.started = now

    def _wait(self, inbox: socket.socket) -> None:
        now = self._clock()
        dues = [slot.due - now for slot in self._slots if slot.process is None]
        alive = {slot.process.sentinel: slot for slot in self._slots if slot.process is not None}
        ready = wait([*alive, inbox], max(0.0, min(dues)) if dues else None)
        for one in ready:
            if one is inbox:
                inbox.recv(4096)
            elif isinstance(one, int):
                self._bury(alive[one])

    def _bury(self, slot: _Slot) -> None:
        assert slot.process is not None
        slot.process.join()
        code = slot.process.exitcode
        now = self._clock()
        if now - slot.started > _HEALTHY_AFTER:
            slot.pause = _FIRST_PAUSE
        slot.process = None
        slot.due = now + slot.pause
        self._say(f"worker {slot.index} ended with code {code}; starting it again in {slot.pause:g} s")
        slot.pause = min(slot.pause * 2, _LONGEST_PAUSE)

    def _pass_hangup(self) -> None:
        if self._hangup:
            self._hangup = False
            self._signal_all(signal.SIGHUP)

    def _signal_all(self, number: signal.Signals) -> None:
        for slot in self._slots:
            if slot.process is not None and slot.process.pid is not None and slot.process.is_alive():
                os.kill(slot.process.pid, number)

    def _end(self) -> int:
        self._signal_all(signal.SIGTERM)
        deadline = self._clock() + self._drain + 2.0
        clean = True
        for slot in self._slots:
            if slot.process is None:
                continue
            slot.process.join(max(0.0, deadline - self._clock()))
            if slot.process.is_alive():
                slot.process.kill()
                slot.process.join()
            clean = clean and slot.process.exitcode == 0
        return 0 if clean else 1


def _silent(_: str) -> None:
    return
