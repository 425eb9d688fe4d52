"""A cable between two network namespaces whose packets the test holds: how long they travel, and whether they arrive.

Two TUN devices, one in each namespace, and a thread that carries packets between them. It needs /dev/net/tun and
CAP_NET_ADMIN, not the kernel's netem. It carries some ten thousand packets a second: for tests, not for load.
"""

from __future__ import annotations

import fcntl
import heapq
import os
import select
import struct
import subprocess
import threading
import time
from pathlib import Path

TUN = Path("/dev/net/tun")
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000  # linux/if_tun.h


class Wire:
    """Carries packets until it is closed.

    Args:
        ends: for both ends the namespace, the device's name there (at most 15 letters) and its address/prefix.
    """

    def __init__(self, *ends: tuple[str, str, str]) -> None:
        self.delay = 0.0
        """Seconds that a packet travels, one way."""
        self.cut = False
        """Packets vanish, both ways, and nobody is told."""
        self._fds = [_device(*end) for end in ends]
        self._over = False
        self._thread = threading.Thread(target=self._carry, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop, and take both devices away."""
        self._over = True
        self._thread.join(5)
        for fd in self._fds:
            os.close(fd)

    def _carry(self) -> None:
        left, right = self._fds
        travelling: list[tuple[float, int, int, bytes]] = []
        number = 0
        while not self._over:
            wait = min(0.1, max(0.0, travelling[0][0] - time.monotonic())) if travelling else 0.1
            for fd in select.select(self._fds, (), (), wait)[0]:
                packet = os.read(fd, 65536)
                number += 1
                if not self.cut:
                    heapq.heappush(
                        travelling, (time.monotonic() + self.delay, number, right if fd == left else left, packet)
                    )
            while travelling and travelling[0][0] <= time.monotonic():
                _, _, to, packet = heapq.heappop(travelling)
                os.write(to, packet)


def _device(space: str, name: str, address: str) -> int:
    fd = os.open(TUN, os.O_RDWR)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH14x", name.encode(), IFF_TUN | IFF_NO_PI))
    for words in (
        ("link", "set", name, "netns", space),
        ("-n", space, "addr", "add", address, "dev", name),
        ("-n", space, "link", "set", name, "up"),
    ):
        subprocess.run(["ip", *words], check=True, capture_output=True, timeout=10)
    return fd
