"""Work that must go on for as long as its process does: a failure is said, and the work begins again.

A task that dies in silence is worse than one that fails aloud: traces would pile up and nobody would know. The price: a
bug that fails each time is tried each minute, and said each time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from akto_proxy.errors import AktoProxyError
from akto_proxy.proxy.core import place_of

_log = structlog.get_logger("akto_proxy.lasting")
_LONGEST = 60.0


async def lasting(
    name: str, work: Callable[[], Awaitable[None]], sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> None:
    """Do `work` until it returns. After a failure wait 1, 2, 4, ... 60 seconds; only cancelling ends it earlier."""
    wait = 1.0
    while True:
        try:
            await work()
        except AktoProxyError as error:
            reason = str(error)
        except Exception as error:  # noqa: BLE001  whatever it was, it is said and tried again
            reason = place_of(error)
        else:
            return
        _log.error("failed, and is tried again", what=name, reason=reason, wait=wait)
        await sleep(wait)
        wait = min(2 * wait, _LONGEST)
