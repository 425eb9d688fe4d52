from __future__ import annotations

import io
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from akto_proxy.cli import doctor
from akto_proxy.cli.doctor import SECRET, find_probes, lenient, proxy_target, servers, upstream
from akto_proxy.config.settings import load
from akto_proxy.doctor import http
from akto_proxy.doctor.facts import HttpFacts, TraceFacts
from akto_proxy.doctor.host import configuration
from akto_proxy.doctor.ingestion import target_of
from akto_proxy.doctor.records import NO_SERVER, arrived
from akto_proxy.doctor.result import Report, State, ok, warn
from akto_proxy.doctor.show import verdict
from tests_support import free_port

app = typer.Typer()
app.command()(doctor.doctor)
app.command()(doctor.validate)


def run(environ: dict[str, str], *arguments: str) -> Any:
    """The command in an environment of its own."""
    blank = {name: None for name in os.environ if name.upper().endswith("_PROXY") or name == "HF_TOKEN"}
    return CliRunner().invoke(app, list(arguments), env={**blank, **environ})


def states(result: Any) -> dict[str, str]:
    return {item["name"]: item["state"] for item in json.loads(result.stdout)["checks"]}


@pytest.fixture(scope="module")
def product(start_product: Callable[..., Any]) -> Iterator[Any]:
    product = start_product("up", TOUR="false")
    for _ in range(300):  # the proxy answers first; the server takes a moment longer
        if not http.call(target_of(product.server), "GET", "/health").error:
            break
        time.sleep(0.1)
    yield product
    product.stop()


def test_doctor_finds_a_running_product_well(product: Any):
    result = run(product.environ, "doctor", "--json")
    assert result.exit_code == 0, result.output
    found = states(result)
    for name in ("endpoint", "proxy", "inference", "streaming", "store", "store token", "store trace"):
        assert found[name] == "ok", name
    for name in ("policy", "guardrail", "trace kept", "spool"):
        assert found[name] == "ok", name
    assert json.loads(result.stdout)["troubles"] == []


def test_doctor_speaks_to_people_too(product: Any):
    result = run(product.environ, "doctor")
    assert result.exit_code == 0
    assert "Nothing is broken." in result.output
    assert "guardrail" in result.output


def test_a_prompt_of_the_operators_own_is_redacted_on_the_real_path(product: Any):
    result = run(product.environ, "doctor", "--json", "--prompt", f"my key is {SECRET}")
    assert states(result)["guardrail"] == "ok"
    assert SECRET not in result.output


def test_validate_passes_its_six_steps(product: Any):
    result = run(product.environ, "validate", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert [item["state"] for item in found["checks"]] == ["ok"] * 6
    shown = json.dumps(found["seen"])
    assert "<SECRET>" in shown
    assert shown.count(SECRET) == 1, "only as what was sent"


def test_validate_speaks_to_people_too(product: Any):
    result = run(product.environ, "validate")
    assert result.exit_code == 0
    assert "aws-access-key-id" in result.output


def test_nothing_running_is_named(tmp_path: Path):
    environ = {"DATA_DIR": str(tmp_path), "AKTO_PROXY_PORT": str(free_port()), "SERVER_PORT": str(free_port())}
    result = run(environ, "doctor", "--json", "--timeout", "0.5")
    assert result.exit_code == 1
    named = [item["trouble"] for item in json.loads(result.stdout)["troubles"]]
    assert named == ["endpoint not reached", "no logs"]
    result = run(environ, "validate", "--json")
    assert result.exit_code == 1


def test_without_a_proxy_validation_names_one_trouble_and_tries_no_further(tmp_path: Path):
    result = run({"DATA_DIR": str(tmp_path), "AKTO_PROXY_PORT": str(free_port())}, "validate", "--json")
    told = json.loads(result.stdout)
    assert list(states(result).values()) == ["fail", *["skip"] * 5]
    assert [item["trouble"] for item in told["troubles"]] == ["endpoint not reached"]


def test_a_misspelt_variable_is_told_and_so_is_what_is_to_read(tmp_path: Path):
    environ = {"DATA_DIR": str(tmp_path), "AKTO_PROXY_PORT": str(free_port()), "POLICY_FIEL": "/x"}
    result = run(environ, "doctor", "--timeout", "0.5")
    assert "POLICY_FIEL is no setting, so it does nothing" in result.output
    assert "was POLICY_FILE meant?" in result.output


def test_a_trace_that_nobody_can_be_asked_for_is_no_failure():
    called = HttpFacts(status=200, headers={"x-akto-trace-id": "1" * 32})
    assert arrived(called, TraceFacts(error=NO_SERVER)).state is State.SKIP
    assert arrived(called, TraceFacts(error="refused")).state is State.FAIL


def test_an_unusable_address_says_that_the_demonstration_stands_in():
    assert "demonstration" in configuration("environment variable APP_URL: expected a URL", "").fix
    assert "demonstration" not in configuration("environment variable WORKERS: expected", "https://x").fix


def test_warnings_are_named_at_the_end():
    console = Console(record=True, width=200, file=io.StringIO())
    verdict(console, Report((ok("a", ""), warn("policy", "acts on nothing", ""))))
    assert "To read: policy." in console.export_text()


def test_a_wrong_setting_stops_nothing_and_is_exit_code_2(tmp_path: Path):
    environ = {"DATA_DIR": str(tmp_path), "REQUEST_TIMEOUT": "soon", "AKTO_PROXY_PORT": str(free_port())}
    result = run(environ, "doctor", "--json", "--timeout", "0.5")
    assert result.exit_code == 2
    found = json.loads(result.stdout)
    assert "REQUEST_TIMEOUT" in found["checks"][0]["what"]
    assert len(found["checks"]) > 15


def test_what_cannot_be_read_counts_as_not_set():
    settings, problem = lenient(
        {"APP_URL": "https://abc.example", "REQUEST_TIMEOUT": "soon", "CONNECT_TO": "vpce.example", "OTHER": "x"}, ""
    )
    assert "REQUEST_TIMEOUT" in problem
    assert settings.app_url == "https://abc.example"
    assert settings.connect_to == "vpce.example"
    assert lenient({"APP_URL": "https://abc.example"}, "")[1] == ""


def test_the_name_stays_when_another_address_is_dialled():
    target = upstream(load({"APP_URL": "https://abc.example/base", "CONNECT_TO": "10.0.0.5:8443"}))
    assert (target.host, target.port, target.prefix) == ("abc.example", 443, "/base")
    assert target.dial == ("10.0.0.5", 8443)


def test_the_proxy_is_asked_at_an_address_of_this_machine():
    settings = load({"APP_URL": "https://abc.example", "TLS_CERT": "c", "TLS_KEY": "k", "AKTO_PROXY_PORT": "8443"})
    assert proxy_target(settings, "").url == "https://127.0.0.1:8443"
    assert not proxy_target(settings, "").verify
    assert proxy_target(settings, "https://p.example/x").verify


def test_servers_are_those_that_are_set_and_this_deployments_own(tmp_path: Path):
    environ = {"DATA_DIR": str(tmp_path), "AKTO_API_BASE_URL": "https://g.akto.example", "AKTO_API_TOKEN": "t"}
    assert [(s.form, s.own) for s in servers(load(environ))] == [("akto", False)]
    (tmp_path / "ingest.key").write_bytes(b"k" * 32)
    assert [(s.form, s.own) for s in servers(load(environ))] == [("collector", True), ("akto", False)]


def test_probes_are_what_the_policy_acts_on(tmp_path: Path):
    probes = find_probes(load({"DATA_DIR": str(tmp_path)}))
    assert [probe.expected for probe in probes][:2] == ["block", "redact"]
    assert find_probes(load({"DATA_DIR": str(tmp_path)}), "hello there") == []
