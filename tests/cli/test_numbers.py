"""The server's numbers: published, served where no worker runs, and never in the way."""

import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from akto_proxy.cli.numbers import Numbers
from akto_proxy.proxy.metrics import Board, of_server


def board(folder: Path, name: str) -> Board:
    return Board(folder, name, now=time.time)


def test_what_is_counted_is_found_by_others_and_served_here(tmp_path: Path):
    numbers = Numbers(board(tmp_path, "server"), lambda: of_server(7, 1, 0, 70, 900), "1", ("127.0.0.1", 0))
    numbers.start()
    try:
        base = f"http://127.0.0.1:{numbers.port}"
        with urllib.request.urlopen(base + "/metrics", timeout=10) as page:
            text = page.read().decode()
        assert "akto_proxy_server_traces_total 7" in text
        assert "akto_proxy_store_bytes 900" in text
        for path in ("/healthz", "/readyz", "/buildinfo"):
            with urllib.request.urlopen(base + path, timeout=10) as page:
                assert page.status == 200
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(base + "/traces", timeout=10)
    finally:
        numbers.stop()
    assert board(tmp_path, "worker-0").total().counters["akto_proxy_server_traces_total"] == {"": 7.0}


def test_a_store_that_is_away_and_a_port_that_is_taken_stop_nothing(tmp_path: Path):
    calls = []

    def fresh():
        calls.append(1)
        raise OSError("away")

    first = Numbers(board(tmp_path, "a"), lambda: of_server(0, 0, 0, 0, 0), "1", ("127.0.0.1", 0))
    second = Numbers(board(tmp_path, "b"), fresh, "1", ("127.0.0.1", first.port))
    assert second.port == 0
    second.start()
    second.stop()
    first.start()
    first.stop()
    assert calls
