"""Small helpers that tests of several folders share."""

from __future__ import annotations

import random
import socket
import urllib.request

_LOWEST, _HIGHEST = 20_000, 32_000
"""Below the range from which the kernel takes ports of outgoing connections, so no connection of another test can take
one between its choice and its use."""


def free_port(*beside: int) -> int:
    """A port that nobody listens on now, and so are those `beside` it (as distances)."""
    while True:
        port = random.randrange(_LOWEST, _HIGHEST)
        if all(_free(port + distance) for distance in (0, *beside)):
            return port


def _free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def answers(url: str) -> bool:
    """Whether anything but an error answers a GET there within five seconds."""
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except OSError:
        return False
