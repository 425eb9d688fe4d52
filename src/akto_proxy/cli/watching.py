"""The watch joined to the server: new traces in, incidents kept, people told, callers blocked. One thread, one loop.

The collector wakes it when something arrived, and twice a second it asks by itself (another server may write the same
store), so an alert is out within two seconds of its call. The whole trace is read where something was found in it, and
of the others as many as there is time for: their summary shows volume, tokens, errors and latency, only the prompt's
fingerprint, country and client are missing then. Where the last trace was is kept, so a restart misses nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import structlog
from cryptography import x509

from akto_proxy.config.keys import key_of
from akto_proxy.config.settings import Settings
from akto_proxy.errors import AktoProxyError
from akto_proxy.limits.blocks import Blocked, write_blocks
from akto_proxy.limits.learned import rows_of, write_learned
from akto_proxy.store.control import ControlStore
from akto_proxy.store.face import Fresh, Summary, TraceStore
from akto_proxy.watch.desk import Desk, Output
from akto_proxy.watch.facts import Fact, of_anomaly, of_certificate, of_decisions, of_health
from akto_proxy.watch.learning import accepted
from akto_proxy.watch.notify.courier import Courier
from akto_proxy.watch.notify.schema import parse_channels
from akto_proxy.watch.observation import Observation, of_summary, of_trace
from akto_proxy.watch.respond import Responder, overrides, write_overrides
from akto_proxy.watch.schema import AlertConfig, parse_alerts
from akto_proxy.watch.watch import Watch

BASELINES, CURSOR = "watch.baselines", "watch.cursor"
POLL = 0.5
REST = 0.1
"""Seconds between two looks at least, so that a busy server is not asked at each of its batches."""

BATCH = 500
WHOLE_A_POLL = 150
"""Traces without a finding that are read whole in POLL seconds, however many polls a backlog makes of them."""

_TICK_EVERY, _SAVE_EVERY, _CERTIFICATE_EVERY, _SWEEP_EVERY, _REPORTS_EVERY = 5.0, 300.0, 3600.0, 10.0, 0.5
_TEST_TIMEOUT = 30.0

T = TypeVar("T")
_log = structlog.get_logger("akto_proxy.watch")


@dataclass(slots=True)
class WatchingCounters:
    """What was read, for metrics."""

    traces: int = 0
    whole: int = 0
    faults: int = 0
    last_delay: float = 0.0


@dataclass(frozen=True, slots=True)
class Parts:
    """What the watch is made of, so that a test can join it in another way."""

    traces: TraceStore
    control: ControlStore
    watch: Watch
    desk: Desk
    courier: Courier
    responder: Responder
    folder: Path
    now: Callable[[], float]
    certificates: tuple[str, ...] = ()
    poll: float = POLL


@dataclass(slots=True)
class _Due:
    """When each chore is due next."""

    at: dict[str, float] = field(default_factory=dict)

    def now(self, name: str, clock: float, every: float) -> bool:
        """Whether it is time, once every so many seconds."""
        if clock < self.at.get(name, -1e18):
            return False
        self.at[name] = clock + every
        return True


class Watching:
    """Runs the watch in a thread. Also the dashboard's Notifier."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = False
        self._woken = asyncio.Event()
        self._ready = threading.Event()
        self._due = _Due()
        self._cursor = ""
        self._spare = 0
        self._heard = 0.0
        self.counters = WatchingCounters()

    def start(self) -> None:
        """Begin. Returns when the first cursor was read, so that what arrives from now on is seen."""
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()), name="watch", daemon=True)
        self._thread.start()
        self._ready.wait(30)

    def stop(self) -> None:
        """Keep what was learned, and end."""
        self._stop = True
        self.wake()
        if self._thread is not None:
            self._thread.join(15)

    def wake(self) -> None:
        """Something arrived: look now. From any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._woken.set)

    def channels(self) -> Sequence[tuple[str, str]]:
        """Name and kind of each configured channel."""
        return self._parts.courier.channels

    def test(self, name: str) -> str:
        """Send a test; what happened, in words without secrets."""
        if self._loop is None or not self._loop.is_running():
            return "The watch does not run."
        future = asyncio.run_coroutine_threadsafe(self._parts.courier.test(name), self._loop)
        try:
            return future.result(_TEST_TIMEOUT)
        except TimeoutError:
            return "Not delivered: no answer in time."

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._parts.courier.start()
        await self._guarded(self._begin)
        self._ready.set()
        while not self._stop:
            more = await self._guarded(self._poll)
            await self._guarded(self._chores)
            if not more:
                await asyncio.sleep(REST)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._woken.wait(), self._parts.poll)
                self._woken.clear()
        await self._guarded(self._save)
        await self._parts.courier.stop()

    async def _guarded(self, work: Callable[[], T]) -> T | None:
        """One step in a thread, so that a slow store keeps no notification waiting. A failed step is told and tried
        again; the watch goes on.
        """
        try:
            return await asyncio.to_thread(work)
        except AktoProxyError as error:
            self.counters.faults += 1
            _log.warning("the watch could not do a step", reason=str(error))
        except Exception as error:  # noqa: BLE001  only the kind is told: a message may hold what must not be logged
            self.counters.faults += 1
            _log.error("the watch could not do a step", kind=type(error).__name__)
        return None

    def _begin(self) -> None:
        control = self._parts.control
        data = control.state(BASELINES)
        if data and not self._parts.watch.load(data):
            _log.warning("baselines of another version are not used; they are learned again")
        self._cursor = control.state(CURSOR).decode("ascii", "replace") or self._parts.traces.after().cursor

    def _poll(self) -> bool:
        """Read what arrived; whether there may be more at once."""
        fresh: Fresh = self._parts.traces.after(self._cursor, limit=BATCH)
        if fresh.items:
            self._look(fresh.items)
        self._cursor = fresh.cursor
        return len(fresh.items) >= BATCH

    def _look(self, lines: Sequence[Summary]) -> None:
        parts = self._parts
        facts: list[Fact] = []
        if self._due.now("whole", parts.now(), POLL):
            self._spare = WHOLE_A_POLL
        for line in lines:
            flagged = bool(line.rules)
            self._spare -= not flagged
            seen, found = self._read(line) if flagged or self._spare > 0 else (of_summary(line), [])
            facts += found
            facts += [of_anomaly(item) for item in parts.watch.feed(seen)]
        now = parts.now()
        self.counters.traces += len(lines)
        self.counters.last_delay = max(0.0, now - lines[-1].started)
        self._hand_on(parts.desk.take(facts, now))

    def _read(self, line: Summary) -> tuple[Observation, list[Fact]]:
        trace = self._parts.traces.get(line.id)
        if trace is None:
            return of_summary(line), []
        self.counters.whole += 1
        return of_trace(trace), list(of_decisions(trace))

    def _hand_on(self, output: Output) -> None:
        for measure in output.measures:
            if self._parts.responder.take(measure, self._parts.now()):
                self._publish()
        loop = self._loop
        for notice in output.notices:
            if loop is not None:
                loop.call_soon_threadsafe(self._parts.courier.tell, notice)

    def _chores(self) -> None:
        now, due = self._parts.now(), self._due
        if due.now("publish", now, POLL):
            self._publish()
        if due.now("reports", now, _REPORTS_EVERY):
            self._hand_on(self._parts.desk.take(self._reports(now), now))
        if due.now("tick", now, _TICK_EVERY):
            facts = [of_anomaly(item) for item in self._parts.watch.tick(now)]
            facts += [of_health(item, now) for item in self._parts.control.proxies()]
            self._hand_on(self._parts.desk.take(facts, now))
            self._hand_on(self._parts.desk.tick(now))
        if due.now("sweep", now, _SWEEP_EVERY):
            self._parts.responder.sweep(now)
        if due.now("certificates", now, _CERTIFICATE_EVERY):
            self._hand_on(self._parts.desk.take(self._certificates(now), now))
        if due.now("save", now, _SAVE_EVERY):
            self._save()

    def _reports(self, now: float) -> list[Fact]:
        """What proxies said of themselves since the last look."""
        fresh = [item for item in self._parts.control.proxies() if item.seen > self._heard]
        self._heard = max((item.seen for item in fresh), default=self._heard)
        return [of_health(item, now) for item in fresh]

    def _publish(self) -> None:
        """Write what workers must obey where they read it."""
        now = self._parts.now()
        blocks = [Blocked(item.field, item.value, item.until) for item in self._parts.control.blocks()]
        write_blocks(self._parts.folder, [item for item in blocks if item.until > now])
        found = overrides(self._parts.control)
        write_overrides(self._parts.folder, [(item.policy, item.do, item.until) for item in found if item.until > now])
        write_learned(self._parts.folder, rows_of(accepted(self._parts.control)))

    def _save(self) -> None:
        self._parts.control.set_state(BASELINES, self._parts.watch.dump())
        self._parts.control.set_state(CURSOR, self._cursor.encode())

    def _certificates(self, now: float) -> list[Fact]:
        facts = []
        for path in self._parts.certificates:
            try:
                found = x509.load_pem_x509_certificate(Path(path).read_bytes())
            except (OSError, ValueError):
                continue
            left = (found.not_valid_after_utc.timestamp() - now) / 86_400
            facts.append(of_certificate(Path(path).name, left, now))
        return facts


def watching(
    settings: Settings, traces: TraceStore, control: ControlStore, environ: Mapping[str, str] | None = None
) -> Watching:
    """The watch of a server, from the settings.

    Raises:
        ConfigError: `notify` or `alerts` cannot be used.
    """
    courier = Courier(
        parse_channels(settings.notify, os.environ if environ is None else environ),
        control.add_delivery,
        now=time.time,
        random=os.urandom,
        host=os.uname().nodename,
    )
    key = key_of(settings, "deployment.key")
    parts = Parts(
        traces=traces,
        control=control,
        watch=Watch(seed=key[:64]),
        desk=Desk(alert_config(settings), control, lambda: os.urandom(16).hex()),
        courier=courier,
        responder=Responder(control, os.urandom),
        folder=settings.data_path,
        now=time.time,
        certificates=(settings.tls_cert,) if settings.tls_cert else (),
    )
    return Watching(parts)


def alert_config(settings: Settings) -> AlertConfig:
    """The alert rules of the settings; the shipped ones where none are given."""
    return parse_alerts(settings.alerts)
