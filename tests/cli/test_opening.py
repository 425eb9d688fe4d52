"""What an operator reads in the first seconds, in the set-ups that newcomers have."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from rich.console import Console

from akto_proxy.cli import logs, opening
from akto_proxy.config.settings import load
from doctor.town import Reply, Server, Town, json_reply
from tests_support import free_port


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    made = Town(tmp_path)
    yield made
    for stop in made.stops:
        stop()
    structlog.reset_defaults()


def said(town: Town, **variables: str) -> dict[str, tuple[str, str]]:
    """What is said of each subject once the proxy (here: somebody who says ready) answers."""
    proxy: Server = town.server(lambda *_: json_reply({"status": "ok"}))
    told = {"AKTO_PROXY_PORT": str(proxy.port), "DATA_DIR": str(town.folder), "CONNECT_TIMEOUT": "1", **variables}
    found: dict[str, tuple[str, str]] = {}
    opening.look(load(told), lambda subject, what, fix: found.update({subject: (what, fix)}), time.monotonic())
    return found


def test_with_nothing_set_it_is_ready_and_nothing_is_wrong(town: Town):
    assert set(said(town)) == {"Ready"}


def test_an_endpoint_that_is_there_is_said_to_be(town: Town):
    endpoint = town.server(lambda *_: Reply())
    what, fix = said(town, APP_URL=f"http://127.0.0.1:{endpoint.port}")["Endpoint"]
    assert "NOT WELL" not in what
    assert fix == ""
    assert endpoint.calls == []  # no request: it must not wake


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://127.0.0.1:PORT", "refused"),
        ("https://no-such-endpoint.invalid", "no-such-endpoint.invalid"),
    ],
)
def test_an_endpoint_that_cannot_be_reached_is_named_with_the_way_out(town: Town, url: str, words: str):
    what, fix = said(town, APP_URL=url.replace("PORT", str(free_port())))["Endpoint"]
    assert what.startswith("NOT WELL: ")
    assert words in what
    assert "akto-proxy doctor" in fix


def test_a_certificate_that_is_not_the_endpoints_is_named(town: Town):
    endpoint = town.server(lambda *_: Reply(), town.authority.issue())
    what, _ = said(town, APP_URL=f"https://127.0.0.1:{endpoint.port}")["Endpoint"]
    assert "authority is not trusted" in what


def test_an_ingestion_server_that_is_away_is_named_and_nothing_is_lost(town: Town):
    what, fix = said(town, AKTO_API_BASE_URL=f"http://127.0.0.1:{free_port()}", AKTO_API_TOKEN="t")["Traces"]
    assert what.startswith("NOT WELL: ")
    assert "wait in the spool" in what
    assert fix


def test_an_ingestion_server_that_refuses_the_token_is_named(town: Town):
    server = town.server(lambda method, path, *_: json_reply({}, 401 if "auth" in path else 200))
    what, _ = said(town, AKTO_API_BASE_URL=f"http://127.0.0.1:{server.port}", AKTO_API_TOKEN="secret-t")["Traces"]
    assert "refuses the token" in what
    assert "secret-t" not in what


def test_people_get_lines_and_machines_get_events(town: Town, capsys: pytest.CaptureFixture[str]):
    shown = io.StringIO()
    console = Console(file=shown, width=200)
    logs.setup("INFO", "console")
    opening.speaker(load({"LOG_FORMAT": "console"}), console)("Endpoint", "NOT WELL: [x] refused", "check it")
    assert shown.getvalue().strip() == "Endpoint   NOT WELL: [x] refused. Check it"
    logs.setup("INFO", "json")
    opening.speaker(load({"LOG_FORMAT": "json"}), console)("Endpoint", "NOT WELL: refused", "check it")
    line = json.loads(capsys.readouterr().err.splitlines()[-1])
    assert (line["event"], line["level"], line["fix"]) == ("endpoint", "warning", "check it")
