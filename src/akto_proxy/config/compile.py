"""Compile patterns in a process that can be killed: compiling itself can be attacked, and a thread cannot be stopped.

A pattern of twenty characters can keep a compiler busy for hours. The child works under a deadline and a memory limit;
it names each rule before trying it, so the parent can say which one it was. The price is a process start (about a
second), so the caller keeps the result by content hash and pays once a change. The deadline counts processor time: a
busy machine makes a start slow, and must not make it fail.
"""

from __future__ import annotations

import multiprocessing
import resource
import signal
import time
from collections.abc import Callable, Sequence
from math import ceil
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Protocol, TypeVar

from akto_proxy.errors import PolicyError

DEADLINE = 60.0
"""Seconds of processor time. The shipped rules take four, 500 patterns and 10,000 words beside them another twelve."""
PATIENCE = 10.0
"""How many times the deadline may pass by the clock: a machine that is slower than that cannot serve either."""
MEMORY = 4 << 30
_TRYING, _DONE, _REFUSED, _BROKE = b"t", b"d", b"r", b"b"


class Named(Protocol):
    """A rule, as far as this file cares."""

    @property
    def id(self) -> str: ...  # noqa: D102


R = TypeVar("R", bound=Named)
Compiler = Callable[[Sequence[R]], bytes]


def compile_killable(
    compiler: Compiler[R],
    rules: Sequence[R],
    suspects: Sequence[R] = (),
    *,
    alone: Compiler[R] | None = None,
    deadline: float = DEADLINE,
    memory: int = MEMORY,
) -> bytes:
    """What `compiler(rules)` gives, each of `suspects` having been tried alone before.

    Args:
        compiler: a function of a module (the child imports it).
        rules: what to compile.
        suspects: those of them that a person wrote.
        alone: how to try one of them, where `compiler` does more than that takes; what it gives is dropped.
        deadline: seconds of processor time that the whole may take.
        memory: bytes of address space that the child may have.

    Raises:
        PolicyError: a rule was refused, took too long or too much memory; the message names it. Or the compiler broke,
            which is no rule's fault.
    """
    context = multiprocessing.get_context("spawn")  # a fork of a process with threads may hang
    receiver, sender = context.Pipe(duplex=False)
    work = (sender, (compiler, alone or compiler), tuple(rules), tuple(suspects), (deadline, memory))
    child = context.Process(target=_work, args=work, daemon=True)
    child.start()
    sender.close()
    try:
        return _await(receiver, child, deadline)
    finally:
        child.kill()
        child.join()
        receiver.close()


def _await(receiver: Connection, child: BaseProcess, deadline: float) -> bytes:
    trying = ""
    end = time.monotonic() + deadline * PATIENCE
    try:
        while receiver.poll(max(0.0, end - time.monotonic())):
            message = receiver.recv_bytes()
            kind, body = message[:1], message[1:]
            if kind == _DONE:
                return body
            if kind == _REFUSED:
                raise PolicyError(body.decode("utf-8", "replace"))
            if kind == _BROKE:
                what = f"rule `{trying}`" if trying else "the rules"
                raise PolicyError(
                    f"{what} could not be compiled, by a fault of the program ({body.decode()}): report it"
                )
            trying = body.decode("utf-8", "replace")
    except EOFError:
        child.join(10)
        if child.exitcode != -signal.SIGXCPU:
            raise PolicyError(f"{_which(trying)} more memory than a rule may: make the repeats smaller") from None
    raise PolicyError(f"{_which(trying)} longer than {deadline:g} s to compile: make the repeats smaller")


def _which(trying: str) -> str:
    return f"rule `{trying}` takes" if trying else "the rules together take"


def _work(
    sender: Connection,
    compilers: tuple[Compiler[R], Compiler[R]],
    rules: Sequence[R],
    suspects: Sequence[R],
    most: tuple[float, int],
) -> None:
    seconds, memory = ceil(most[0]), most[1]
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    whole, alone = compilers
    try:
        for suspect in suspects:
            sender.send_bytes(_TRYING + suspect.id.encode())
            alone([suspect])
        sender.send_bytes(_TRYING)
        sender.send_bytes(_DONE + whole(rules))
    except PolicyError as error:
        sender.send_bytes(_REFUSED + str(error).encode())
    except MemoryError:
        raise  # the end without a word says so
    except Exception as error:  # noqa: BLE001 whatever it is, the parent must hear of it
        sender.send_bytes(_BROKE + type(error).__name__.encode())
