"""A page as a PDF file: Chromium prints it in a process of its own, with a deadline, without network; the page's own
policy forbids scripts.

The page and its style are written to a folder that goes away afterwards, so the browser opens two files and nothing
else. The trade-off is a browser on the server; where there is none, people print the page from their own.
"""

from __future__ import annotations

import subprocess
import tempfile
import threading
from pathlib import Path

from akto_proxy.errors import AktoProxyError

SECONDS = 60.0
FLAGS = (
    "--headless",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-sync",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--proxy-server=http://127.0.0.1:9",
    "--no-pdf-header-footer",
)


class PrinterError(AktoProxyError):
    """The PDF was not made; the message says why and what to do."""


class Printer:
    """Makes PDF files, one at a time.

    Args:
        program: path of a Chromium.
        sandbox: whether the browser may put itself in a sandbox (as root it cannot).
        seconds: how long a print, or the wait for the one before it, may take.
    """

    def __init__(self, program: str, *, sandbox: bool = True, seconds: float = SECONDS) -> None:
        self._program = program
        self._sandbox = sandbox
        self._seconds = seconds
        self._one = threading.Lock()

    def pdf(self, html: str, css: str) -> bytes:
        """The PDF of a page that links its style as `app.css`.

        Raises:
            PrinterError: another print takes too long, or Chromium failed.
        """
        if not self._one.acquire(timeout=self._seconds):
            raise PrinterError("Another report is being printed. Try again in a moment.")
        try:
            with tempfile.TemporaryDirectory(prefix="akto-print-", ignore_cleanup_errors=True) as folder:
                return self._print(Path(folder), html, css)
        finally:
            self._one.release()

    def _print(self, folder: Path, html: str, css: str) -> bytes:
        page, made = folder / "page.html", folder / "page.pdf"
        page.write_text(html, "utf-8")
        (folder / "app.css").write_text(css, "utf-8")
        flags = [*FLAGS, *(() if self._sandbox else ("--no-sandbox",)), f"--user-data-dir={folder / 'profile'}"]
        try:
            subprocess.run(  # noqa: S603 - a fixed program, our own flags and our own file
                [self._program, *flags, f"--print-to-pdf={made}", page.as_uri()],
                timeout=self._seconds,
                check=True,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                # No TMPDIR: Chromium puts a socket there, whose path has a length limit.
                env={"PATH": "/usr/bin:/bin", "HOME": str(folder)},
            )
            return made.read_bytes()
        except (OSError, subprocess.SubprocessError) as error:
            kind = type(error).__name__
            raise PrinterError(f"Chromium did not print ({kind}). Print the page from your browser.") from None
