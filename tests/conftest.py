"""Shared fixtures: the whole product, started as a user would, on free ports and a folder of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests_support import free_port


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The last lines say which tests were left out, and why: a green run must not hide what it did not do."""
    reasons: Counter[str] = Counter()
    for report in terminalreporter.stats.get("skipped", ()):
        where = report.longrepr
        reason = where[2] if isinstance(where, tuple) else str(where)
        reasons[reason.removeprefix("Skipped: ")] += 1
    if not reasons:
        terminalreporter.write_line("Left out: nothing that was asked for.")
    for reason, times in sorted(reasons.items()):
        terminalreporter.write_line(f"Left out: {times} test{'s' if times > 1 else ''}: {reason}")


DEMO_BESIDE = 19
"""The demonstration endpoint listens this far above the proxy."""


@dataclass
class Product:
    """A running `akto-proxy`: its URLs, its folder, and everything it printed."""

    proxy: str
    server: str
    folder: Path
    output: Path
    process: subprocess.Popen[bytes]
    environ: dict[str, str] = field(default_factory=dict)

    def printed(self) -> str:
        return self.output.read_text("utf-8", "replace")

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


def wait_for(url: str, process: subprocess.Popen[bytes], seconds: float = 120.0) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if process.poll() is not None:
            raise AssertionError(f"the program ended with {process.returncode} before {url} answered")
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(f"{url} did not answer within {seconds} s")


@pytest.fixture(scope="session")
def start_product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Product]]:
    """Starts `akto-proxy up` (or another command) with extra variables; everything is stopped at the end.

    The first one compiles its rules, as on a new machine; the others find that on disk.
    """
    running: list[Product] = []
    compiled = tmp_path_factory.mktemp("compiled")

    def start(*arguments: str, **variables: str) -> Product:
        folder = tmp_path_factory.mktemp("product")
        ports = [free_port(DEMO_BESIDE), free_port(), free_port()]
        names = ("AKTO_PROXY_PORT", "SERVER_PORT", "ADMIN_PORT")
        environ = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(folder),
            "DATA_DIR": str(folder / "data"),
            "LOG_FORMAT": "json",
            "WORKERS": "1",
            **dict(zip(names, map(str, ports), strict=True)),
            **variables,
        }
        output = folder / "output.txt"
        shutil.copytree(compiled, Path(environ["DATA_DIR"]) / "cache", dirs_exist_ok=True)
        with output.open("wb") as sink:
            process = subprocess.Popen(
                ["akto-proxy", *(arguments or ("up",))], env=environ, cwd=folder, stdout=sink, stderr=sink
            )
        product = Product(
            f"http://127.0.0.1:{ports[0]}", f"http://127.0.0.1:{ports[1]}", folder, output, process, environ
        )
        running.append(product)
        try:
            wait_for(product.proxy + "/readyz", process)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{product.printed()[-2000:]}") from None
        shutil.copytree(Path(environ["DATA_DIR"]) / "cache", compiled, dirs_exist_ok=True)
        return product

    yield start
    for product in running:
        product.stop()
