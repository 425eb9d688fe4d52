"""What all exchanges of one worker share: the rules in force, the operator's choices, clock and ids."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from akto_proxy.exchange.face import Headers
from akto_proxy.exchange.options import Options
from akto_proxy.exchange.record import Recorder
from akto_proxy.guard.replace import Replacer
from akto_proxy.guard.scanner import Scanner
from akto_proxy.model import Caller
from akto_proxy.policy.compile import PolicySet


@dataclass(frozen=True, slots=True)
class Guard:
    """What a policy reload swaps as one: the rules in force and what finds them."""

    scanner: Scanner
    policies: PolicySet


@dataclass(slots=True)
class Shared:
    """What all exchanges of one worker share. `tick` is nanoseconds that only grow, `now` Unix seconds."""

    guard: Guard
    options: Options
    recorder: Recorder
    replacer: Replacer
    tick: Callable[[], int]
    now: Callable[[], float]
    new_id: Callable[[], str]
    draw: Callable[[], float] = lambda: 0.0
    """A number in [0, 1) for each exchange, by which sampled policies choose theirs; 0 chooses every exchange."""
    permit: Callable[[Caller, str, bool], str] | None = None
    """Why this caller may not use this model, "" when it may; the last says whether the call has a body."""
    outbound: Callable[[Headers], Headers] | None = None
    """The headers for upstream, where not the caller's own credential goes there."""
