"""What becomes of each trace in a worker: it is counted, written to the spool, and trouble with that is said.

Trouble is said once a minute with its numbers, not once a trace: a full disk must not be filled by the log about it.
The price: a log line is up to a minute late, the metrics and the proxy's state on the dashboard are not.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import orjson
import structlog

from akto_proxy.errors import StorageError
from akto_proxy.model import Trace
from akto_proxy.proxy.metrics import Meter
from akto_proxy.spool.writer import Spool

_log = structlog.get_logger("akto_proxy.recording")
SAY_EVERY = 60.0
"""Seconds between two log lines about the same trouble."""


class Recording:
    """Takes the traces of one worker. `each` begins a sync after every one (those that meet share it).

    `clock` gives seconds that only grow.
    """

    def __init__(self, spool: Spool, meter: Meter, *, each: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._spool, self._meter, self._each, self._clock = spool, meter, each, clock
        self._syncing: set[asyncio.Task[None]] = set()
        self._reason = ""
        self._said_at = float("-inf")
        self._said = self._troubles()

    def keep(self, trace: Trace) -> None:
        """Count a trace and write it.

        Raises:
            StorageError: it could not be written; it is lost, and counted.
        """
        self._meter.observe(trace)
        try:
            self._spool.append(orjson.dumps(trace))
        except StorageError as error:
            self._reason = str(error)
            raise
        if self._each:
            task = asyncio.get_running_loop().create_task(self._commit())
            self._syncing.add(task)
            task.add_done_callback(self._syncing.discard)

    def tick(self) -> None:
        """Once a second: let the spool do what is due, and say what went wrong since the last time."""
        try:
            self._spool.tick()
        except StorageError as error:
            self._reason = str(error)
        now, troubles = self._clock(), self._troubles()
        if now - self._said_at < SAY_EVERY:
            return
        fresh = {name: troubles[name] - self._said[name] for name in troubles}
        if any(fresh.values()):
            reason = self._reason or "the spool holds SPOOL_MAX_SIZE or SPOOL_MAX_AGE and the oldest traces give way"
            _log.error("traces are lost or not safe", **fresh, reason=reason)
            self._said_at, self._said, self._reason = now, troubles, ""
        elif self._said_at != float("-inf"):
            _log.info("traces are kept again", **troubles)
            self._said_at = float("-inf")

    def _troubles(self) -> dict[str, int]:
        stats = self._spool.stats
        return {"dropped": stats.dropped, "refused": stats.refused, "unsynced": stats.sync_failed}

    async def _commit(self) -> None:
        try:
            await self._spool.commit()
        except StorageError as error:
            self._reason = str(error)
