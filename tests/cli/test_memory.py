import platform
import threading
from pathlib import Path

import pytest

from akto_proxy.cli.memory import give_back


def resident() -> int:
    """KiB of this process in memory."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1])


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="malloc_trim is glibc's; elsewhere nothing is done")
def test_what_a_thread_freed_goes_back_to_the_system() -> None:
    def work() -> None:
        parts = [bytes(600) for _ in range(100_000)]
        kept.append(bytes(600))  # it lies at the end, so that the arena cannot shrink by itself
        del parts

    kept: list[bytes] = []
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    before = resident()
    assert give_back()
    assert before - resident() > 30_000
