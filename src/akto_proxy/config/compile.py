"""Compile patterns in a process that can be killed: compiling itself can be attacked, and a thread cannot be stopped.

A pattern of twenty characters can keep a compiler busy for hours. The child works under a deadline and a memory limit;
it names each rule before trying it, so the parent can say which one it was. The price is a process start (about a
second), so the caller keeps the result by content hash and pays once a change.
"""

from __future__ import annotations

import multiprocessing
import resource
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from typing import Protocol, TypeVar

from akto_proxy.errors import PolicyError

DEADLINE = 60.0
"""Seconds by the clock. The shipped rules take three of CPU; a busy machine may need ten times as long for them."""
MEMORY = 4 << 30
_TRYING, _DONE, _REFUSED = b"t", b"d", b"r"


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
    deadline: float = DEADLINE,
    memory: int = MEMORY,
) -> bytes:
    """What `compiler(rules)` gives, each of `suspects` having been tried alone before.

    Args:
        compiler: a function of a module (the child imports it).
        rules: what to compile.
        suspects: those of them that a person wrote.
        deadline: seconds that the whole may take.
        memory: bytes of address space that the child may have.

    Raises:
        PolicyError: a rule was refused, took too long or too much memory; the message names it.
    """
    context = multiprocessing.get_context("spawn")  # a fork of a process with threads may hang
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=_work, args=(sender, compiler, tuple(rules), tuple(suspects), memory), daemon=True)
    child.start()
    sender.close()
    try:
        return _await(receiver, deadline)
    finally:
        child.kill()
        child.join()
        receiver.close()


def _await(receiver: Connection, deadline: float) -> bytes:
    trying = ""
    end = time.monotonic() + deadline
    try:
        while receiver.poll(max(0.0, end - time.monotonic())):
            message = receiver.recv_bytes()
            kind, body = message[:1], message[1:]
            if kind == _DONE:
                return body
            if kind == _REFUSED:
                raise PolicyError(body.decode("utf-8", "replace"))
            trying = body.decode("utf-8", "replace")
    except EOFError:
        raise PolicyError(f"{_which(trying)} more memory than a rule may: make the repeats smaller") from None
    raise PolicyError(f"{_which(trying)} longer than {deadline:g} s to compile: make the repeats smaller")


def _which(trying: str) -> str:
    return f"rule `{trying}` takes" if trying else "the rules together take"


def _work(sender: Connection, compiler: Compiler[R], rules: Sequence[R], suspects: Sequence[R], memory: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        for suspect in suspects:
            sender.send_bytes(_TRYING + suspect.id.encode())
            compiler([suspect])
        sender.send_bytes(_TRYING)
        sender.send_bytes(_DONE + compiler(rules))
    except PolicyError as error:
        sender.send_bytes(_REFUSED + str(error).encode())
