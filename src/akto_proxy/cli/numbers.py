"""The server's numbers: put where the admin port finds them, and served from here where no worker runs beside.

In `up` the workers own the admin port and add the server's file up with theirs. `akto-proxy server` has no workers, so
it answers there itself, with the standard library's small server: one page, a scrape every few seconds.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import structlog

from akto_proxy.proxy.metrics import AdminPages, Board, Values

_log = structlog.get_logger("akto_proxy.numbers")
Pages = Callable[[bytes, bytes], tuple[int, bytes, bytes] | None]


class Numbers:
    """Publishes what `fresh` gives once a second, in a thread. With `address` it also serves the admin pages."""

    def __init__(
        self, board: Board, fresh: Callable[[], Values], version: str, address: tuple[str, int] | None = None
    ) -> None:
        self._board, self._fresh = board, fresh
        self._stop = threading.Event()
        self._server: ThreadingHTTPServer | None = None
        self._threads = [threading.Thread(target=self._publish, name="numbers", daemon=True)]
        if address is not None:
            try:
                self._server = ThreadingHTTPServer(address, _handler(AdminPages(board, fresh, version)))
            except OSError as error:
                where = f"{address[0]}:{address[1]}: {error.strerror}"
                _log.error("no metrics: the admin port cannot be used", reason=where, fix="change ADMIN_PORT")
            else:
                self._threads.append(threading.Thread(target=self._server.serve_forever, name="admin", daemon=True))

    @property
    def port(self) -> int:
        """The port really bound, 0 where there is none."""
        return 0 if self._server is None else self._server.server_port

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Publish a last time, and end."""
        self._stop.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
        for thread in self._threads:
            thread.join(10)

    def _publish(self) -> None:
        while True:
            last = self._stop.wait(1.0)
            try:
                self._board.publish(self._fresh())
            except Exception as error:  # noqa: BLE001  the numbers must not end because the store is away for a moment
                _log.warning("the server's numbers are not fresh", kind=type(error).__name__)
            if last:
                return


def _handler(pages: Pages) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def do_GET(self) -> None:
            self._answer()

        def do_HEAD(self) -> None:
            self._answer()

        def _answer(self) -> None:
            path = self.path.partition("?")[0]
            page = pages(b"GET", self.path.encode("latin-1", "replace"))
            if path in ("/healthz", "/readyz"):
                page = 200, b"application/json", b'{"status":"ok"}\n'
            status, kind, body = page or (404, b"text/plain", b"no such page\n")
            self.send_response(status)
            self.send_header("Content-Type", kind.decode())
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing: a scrape is no event."""

    return Handler
