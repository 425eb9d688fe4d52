"""Delivers notices: at once, again when it failed, and into the history as dead when it kept failing.

Each channel has a bounded queue and a task of its own, so a dead channel delays no other. The history names the
channel and a stable word, never an address or a secret. Notices that wait for another try are lost when the process
ends; the incident itself is kept, and says who was told.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from akto_proxy.errors import ConfigError
from akto_proxy.model import Incident, IncidentState, Severity
from akto_proxy.store.control import Delivery
from akto_proxy.watch.desk import Notice
from akto_proxy.watch.notify import text
from akto_proxy.watch.notify.connect import RefusedAddressError, send
from akto_proxy.watch.notify.forms import post
from akto_proxy.watch.notify.schema import Channel
from akto_proxy.watch.notify.wires import send_apprise, send_mail, send_syslog

TRIES = (2.0, 10.0, 60.0, 300.0)
"""Seconds to wait before each further try."""

MAX_QUEUE = 500
MAX_DEAD = 100


class _FailedError(Exception):
    """Not delivered. The message is a stable word; `final` means that trying again is of no use."""

    def __init__(self, reason: str, *, final: bool = False) -> None:
        super().__init__(reason)
        self.final = final


@dataclass(slots=True)
class CourierCounters:
    """What was delivered, for metrics."""

    sent: int = 0
    retried: int = 0
    dead: int = 0
    dropped: int = 0


@dataclass(slots=True)
class _Line:
    """A channel's queue."""

    channel: Channel
    queue: asyncio.Queue[Notice] = field(default_factory=lambda: asyncio.Queue(MAX_QUEUE))
    task: asyncio.Task[None] | None = None


class Courier:
    """The channels of a deployment. To be used from one event loop.

    Args:
        channels: where to tell.
        record: keeps the history.
        now: Unix seconds.
        random: so many random bytes.
        host: this machine's name, for syslog.
        tls: of all connections; the system's trust store if None.
        waits: see TRIES.
    """

    def __init__(
        self,
        channels: Sequence[Channel],
        record: Callable[[Delivery], None],
        *,
        now: Callable[[], float],
        random: Callable[[int], bytes],
        host: str = "",
        tls: ssl.SSLContext | None = None,
        waits: Sequence[float] = TRIES,
    ) -> None:
        self._lines = {channel.name: _Line(channel) for channel in channels}
        self._record = record
        self._now = now
        self._random = random
        self._host = host
        self._tls = tls or ssl.create_default_context()
        self._waits = tuple(waits)
        self.dead: deque[tuple[str, Notice]] = deque(maxlen=MAX_DEAD)
        self.counters = CourierCounters()

    @property
    def channels(self) -> tuple[tuple[str, str], ...]:
        """Name and kind of each."""
        return tuple((line.channel.name, line.channel.kind) for line in self._lines.values())

    def start(self) -> None:
        """Begin to deliver. Needs a running loop."""
        for line in self._lines.values():
            line.task = asyncio.get_running_loop().create_task(self._work(line))

    async def stop(self, grace: float = 2.0) -> None:
        """Give what waits a moment, then end."""
        tasks = [line.task for line in self._lines.values() if line.task]
        if tasks:
            waiting = asyncio.gather(*(line.queue.join() for line in self._lines.values()))
            await asyncio.wait([asyncio.ensure_future(waiting)], timeout=grace)
            waiting.cancel()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def tell(self, notice: Notice) -> int:
        """Hand a notice to the channels it is for; to how many."""
        count = 0
        for line in self._lines.values():
            named = line.channel.name in (*notice.channels, *notice.also)
            if not named and (notice.channels or notice.incident.severity < line.channel.severity):
                continue
            try:
                line.queue.put_nowait(notice)
                count += 1
            except asyncio.QueueFull:
                self.counters.dropped += 1
                self._write(line.channel, notice, "dead", "the queue of the channel is full")
        return count

    async def test(self, name: str) -> str:
        """Send a fixed text once; what happened, in words without secrets."""
        line = self._lines.get(name)
        if line is None:
            return "There is no such channel."
        now = self._now()
        incident = Incident(
            "0" * 32, "test", "this is only a test", Severity.LOW, IncidentState.OPEN, now, now, 1, "akto-proxy"
        )
        notice = Notice("test", incident)
        try:
            await self._send(line.channel, notice)
        except _FailedError as error:
            self._write(line.channel, notice, "dead", str(error))
            return f"Not delivered: {error}."
        self._write(line.channel, notice, "sent", "")
        return "Delivered."

    async def _work(self, line: _Line) -> None:
        while True:
            notice = await line.queue.get()
            try:
                await self._deliver(line.channel, notice)
            finally:
                line.queue.task_done()

    async def _deliver(self, channel: Channel, notice: Notice) -> None:
        for wait in (*self._waits, None):
            try:
                await self._send(channel, notice)
            except _FailedError as error:
                if wait is None or error.final:
                    self.counters.dead += 1
                    self.dead.append((channel.name, notice))
                    self._write(channel, notice, "dead", str(error))
                    return
                self.counters.retried += 1
                self._write(channel, notice, "retry", str(error))
                await asyncio.sleep(wait)
            else:
                self.counters.sent += 1
                self._write(channel, notice, "sent", "")
                return

    def redeliver(self) -> int:
        """Try the dead letters again; how many."""
        letters = list(self.dead)
        self.dead.clear()
        for name, notice in letters:
            if name in self._lines:
                self._lines[name].queue.put_nowait(notice)
        return len(letters)

    async def _send(self, channel: Channel, notice: Notice) -> None:
        try:
            await self._by_kind(channel, notice)
        except _FailedError:
            raise
        except RefusedAddressError as error:
            raise _FailedError(str(error), final=True) from None
        except ConfigError as error:
            raise _FailedError(str(error), final=True) from None
        except TimeoutError:
            raise _FailedError("no answer in time") from None
        except Exception as error:  # noqa: BLE001  libraries raise many kinds; only the kind is safe to tell
            raise _FailedError(f"could not be sent ({type(error).__name__})") from None

    async def _by_kind(self, channel: Channel, notice: Notice) -> None:
        now = self._now()
        if channel.kind == "email":
            await send_mail(channel, notice, now, self._tls)
        elif channel.kind == "syslog":
            await send_syslog(channel, notice, now, self._host, self._tls)
        elif channel.kind == "apprise":
            if not await send_apprise(channel, notice):
                raise _FailedError("the service did not take it")
        else:
            request = post(channel, notice, now, self._random(16).hex())
            status = await send(request, private=channel.allow_private, tls=self._tls)
            if not 200 <= status < 300:
                again = status in (408, 425, 429) or status >= 500
                raise _FailedError(f"answered {status}", final=not again)

    def _write(self, channel: Channel, notice: Notice, outcome: str, detail: str) -> None:
        subject = f"{notice.event}: {text.plain(notice.incident.title, 100)}"
        self._record(Delivery(self._now(), channel.name, subject, outcome, detail[:200]))
