"""Faults planted one at a time in a house of real servers that is otherwise well: doctor must name each of them.

docs/doctor.md holds the table this test makes; `AKTO_WRITE_DOCS=1 pytest tests/doctor/test_faults.py` writes it anew.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from akto_proxy.cli.doctor import ATTACK, find_probe, lenient
from akto_proxy.config.settings import load
from akto_proxy.doctor.facts import Probe, Target
from akto_proxy.doctor.ingestion import Ingestion
from akto_proxy.doctor.result import Report, State, Trouble
from akto_proxy.doctor.run import Plan, examine
from doctor.town import NAME, Authority, Mind, Reply, Town, json_reply
from tests_support import free_port

DOC = Path(__file__).parents[2] / "docs" / "doctor.md"
TRACE = "0192f0c0ffee70008000000000000001"
BLOCK = Probe(ATTACK, "", "block", "injection-override", "default-injection")
REDACT = Probe("my key is QQ-MADE-UP", "QQ-MADE-UP", "redact", "made-up-key", "default-secrets")


@dataclass
class House:
    """All that is well, with the minds of its servers where a fault can change them."""

    town: Town
    folder: Path
    changes: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    kept: set[str] = field(default_factory=lambda: {TRACE})
    trace: dict[str, str] = field(default_factory=lambda: {"outcome": "blocked", "verdict": "block"})

    def __post_init__(self) -> None:
        self.tls: tuple[Path, Path] | None = self.town.authority.issue()
        self.ca = str(self.town.authority.file)
        self.minds: dict[str, Mind] = {"endpoint": self.endpoint, "proxy": self.proxy, "server": self.server}
        self.ports: dict[str, int] = {}

    def endpoint(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Reply:
        if "authorization" not in headers:
            return json_reply({"error": "401 Unauthorized", "code": "UNAUTHORIZED"}, 401)
        if b'"stream": true' in body:
            return Reply(pieces=tuple(b"data: {}\n\n" for _ in range(8)), pause=0.05)
        return json_reply({})

    def proxy(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Reply:
        if path in ("/healthz", "/readyz"):
            return json_reply({"status": "ok"})
        if ATTACK.encode() in body:
            return json_reply({"error": {"code": "content_filter"}}, 400, x_akto_trace_id=TRACE)
        reply = self.minds["endpoint"](method, path, headers, body)
        return replace(reply, headers={**reply.headers, "x-akto-trace-id": TRACE})

    def server(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Reply:
        if path == "/health":
            return json_reply({"status": "ok"})
        if headers.get("authorization") not in ("Bearer good", "good"):
            return json_reply({"error": "no"}, 401)
        if method == "POST" and path == "/v1/traces":
            self.kept.add(re.search(rb'"id":"([0-9a-f]+)"', body)[1].decode())  # type: ignore[index]
        elif path.startswith("/v1/traces/"):
            ident = path.rpartition("/")[2]
            return json_reply({"id": ident, **self.trace}) if ident in self.kept else json_reply({}, 404)
        return json_reply({"accepted": 1, "rejected": []})

    def plan(self) -> Plan:
        def mind(name: str) -> Mind:
            return lambda *call: self.minds[name](*call)

        def started(name: str, tls: tuple[Path, Path] | None = None) -> int:
            return self.ports.get(name) or self.town.server(mind(name), tls).port

        endpoint = Target("https", NAME, 443, "", "127.0.0.1", started("endpoint", self.tls), self.ca)
        store = Target("http", "127.0.0.1", started("server"))
        plan = Plan(
            settings=load({"APP_URL": f"https://{NAME}", "DATA_DIR": str(self.folder), "MAX_CONNECTIONS": "100"}),
            target=endpoint,
            proxy=Target("http", "127.0.0.1", started("proxy")),
            servers=[Ingestion(store, "good", "collector", True)],
            environ={},
            probe=lambda: BLOCK,
            new_id=lambda: os.urandom(16).hex(),
            timeout=1.5,
            patience=0.5,
            token="hf_made_up",
        )
        if self.settings:
            told = {"APP_URL": f"https://{NAME}", "DATA_DIR": str(self.folder), "MAX_CONNECTIONS": "100"}
            plan = replace(plan, settings=load({**told, **self.settings}))
        for name, value in self.changes.items():
            plan = replace(plan, **{name: value(plan) if callable(value) and name in MADE else value})
        return plan


MADE = ("target", "servers", "proxy")
"""Changes that are functions of the plan that is well."""


@dataclass(frozen=True)
class Fault:
    """A fault: how it is planted, the check that must name it, its words, and the trouble it belongs to."""

    name: str
    plant: Callable[[House], None]
    check: str
    words: str
    trouble: Trouble = Trouble.NONE
    state: State = State.FAIL


def change(**changes: Any) -> Callable[[House], None]:
    return lambda house: house.changes.update(changes)


def setting(**settings: str) -> Callable[[House], None]:
    return lambda house: house.settings.update(settings)


def port(name: str, find: Callable[[House], int]) -> Callable[[House], None]:
    return lambda house: house.ports.update({name: find(house)})


def say(where: str, reply: Reply, *, path: str = "", method: str = "", token: bool | None = None) -> Any:
    """`where` gives this reply to what matches, and else what it gives when it is well."""

    def plant(house: House) -> None:
        well = house.minds[where]

        def mind(got: str, target: str, headers: dict[str, str], body: bytes) -> Reply:
            fits = (not path or target == path) and (not method or got == method)
            if token is not None:
                fits = fits and ("authorization" in headers) == token
            return reply if fits else well(got, target, headers, body)

        house.minds[where] = mind
        house.changes.setdefault("wake", token is True)

    return plant


def names(rcode: int) -> Callable[[House], None]:
    def plant(house: House) -> None:
        house.changes["lookup"] = lambda name, timeout: ()
        house.changes["resolvers"] = (house.town.name_server(rcode),)
        house.changes["target"] = lambda plan: replace(plan.target, dial_host="")

    return plant


def certificate(**options: Any) -> Callable[[House], None]:
    def plant(house: House) -> None:
        house.tls = house.town.authority.issue(**options)

    return plant


def stranger(house: House) -> None:
    house.tls = Authority(house.town.folder, "stranger").issue()


def dead_resolver(house: House) -> None:
    house.changes["lookup"] = lambda name, timeout: ()
    house.changes["resolvers"] = (("127.0.0.1", free_port()),)
    house.changes["target"] = lambda plan: replace(plan.target, dial_host="")


def addresses(*found: str, private: bool = False) -> Callable[[House], None]:
    return change(lookup=lambda name, timeout: found, private=private)


def drops_large(house: House) -> None:
    well = house.minds["endpoint"]

    def mind(method: str, path: str, headers: dict[str, str], body: bytes) -> Reply:
        return Reply(delay=2.5) if len(body) > 9000 else well(method, path, headers, body)

    house.minds["endpoint"] = mind


def broken_settings(house: House) -> None:
    _, problem = lenient({"APP_URL": "ftp://x", "REQUEST_TIMEOUT": "soon"}, "")
    house.changes["problem"] = problem


def broken_policy(house: House) -> None:
    file = house.folder / "policy.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_text("policies: [{name: x, rules: [{pattern: '('}]}]")
    told = load({"DATA_DIR": str(house.folder), "POLICY_FILE": str(file)})
    house.changes["probe"] = lambda: find_probe(told)


def passes_everything(house: House) -> None:
    house.minds["proxy"] = lambda method, path, headers, body: (
        json_reply({"status": "ok"}) if method == "GET" else json_reply({"choices": []}, 200, x_akto_trace_id=TRACE)
    )


def not_through(house: House) -> None:
    house.minds["proxy"] = lambda method, path, headers, body: (
        json_reply({"status": "ok"}) if method == "GET" else json_reply({"choices": []})
    )


def secret_returns(house: House) -> None:
    house.changes["probe"] = lambda: REDACT
    house.minds["proxy"] = lambda method, path, headers, body: (
        json_reply({"status": "ok"}) if method == "GET" else Reply(200, body, {"x-akto-trace-id": TRACE})
    )


def only_alerts(house: House) -> None:
    house.changes["probe"] = lambda: REDACT
    house.trace = {"outcome": "alerted", "verdict": "alert"}


def forgets(house: House) -> None:
    well = house.minds["server"]

    def mind(method: str, path: str, headers: dict[str, str], body: bytes) -> Reply:
        return json_reply({}, 404) if path.startswith("/v1/traces/") else well(method, path, headers, body)

    house.minds["server"] = mind


def in_one_piece(house: House) -> None:
    well = house.minds["proxy"]

    def mind(method: str, path: str, headers: dict[str, str], body: bytes) -> Reply:
        if b'"stream": true' in body:
            return Reply(body=b"data: {}\n\n" * 8, delay=0.4, headers={"x-akto-trace-id": TRACE})
        return well(method, path, headers, body)

    house.minds["proxy"] = mind
    house.changes["wake"] = True


def no_disk(house: House) -> None:
    file = house.town.folder / "a-file"
    file.write_text("x")
    house.settings["DATA_DIR"] = str(file)


def plain_http(house: House) -> None:
    house.tls = None


def silent(house: House) -> int:
    return house.town.silent_port()


def closed(house: House) -> int:
    return free_port()


PAUSED = json_reply({"error": "Bad Request: The endpoint is paused, ask a maintainer to restart it"}, 400)
ASLEEP = json_reply({"error": "503 Service Unavailable", "code": "SERVICE_UNAVAILABLE"}, 503)
UNAUTHORIZED = json_reply({"error": "401 Unauthorized", "code": "UNAUTHORIZED"}, 401)
FORBIDDEN = Reply(403, b"missing permissions: inference.endpoints.infer.write")
LATE = Reply(401, headers={"Date": formatdate(time.time() - 900, usegmt=True)})
REACH, AUTH, LOGS, GUARD = Trouble.REACH, Trouble.AUTH, Trouble.LOGS, Trouble.GUARD
WARN = State.WARN

FAULTS = (
    Fault("a setting cannot be read", broken_settings, "configuration", "REQUEST_TIMEOUT", Trouble.CONFIGURATION),
    Fault("the endpoint's name is misspelt", names(3), "dns", "does not exist", REACH),
    Fault("the resolver drops private answers", names(0), "dns", "rebind protection", REACH),
    Fault("the resolver does not answer", dead_resolver, "dns", "cannot be resolved", REACH),
    Fault("one of the addresses is public", addresses("127.0.0.1", "192.88.99.1"), "dns", "public: 192.88.99.1", REACH),
    Fault("all addresses are public, with --private", addresses("192.88.99.1", private=True), "dns", "internet", REACH),
    Fault(
        "HTTPS_PROXY would take the traffic out",
        change(environ={"HTTPS_PROXY": "http://user:pw@proxy:3128", "NO_PROXY": "localhost,127.0.0.1"}),
        "forward proxy", "NO_PROXY does not except abc123", REACH, WARN,
    ),
    Fault("nothing listens at the endpoint", port("endpoint", closed), "tcp", "refused", REACH),
    Fault("a security group drops the packets", port("endpoint", silent), "tcp", "timeout", REACH),
    Fault("the certificate has expired", certificate(begins=-30, days=20), "tls", "has expired", REACH),
    Fault("the certificate is not valid yet", certificate(begins=3), "tls", "not valid yet", REACH),
    Fault("the certificate is for another name", certificate(name="vpce-1.example"), "tls", "another name", REACH),
    Fault("something between opens TLS", stranger, "tls", "authority is not trusted", REACH),
    Fault("the port does not speak TLS", plain_http, "tls", "does not speak TLS", REACH),
    Fault("the certificate ends next week", certificate(days=8), "tls", "ends in", Trouble.NONE, WARN),
    Fault("this machine's clock is wrong", say("endpoint", LATE, method="GET"), "clock", "ahead of", AUTH),
    Fault("the token is refused", say("endpoint", UNAUTHORIZED, token=True), "endpoint", "401", AUTH),
    Fault("the token lacks the permission", say("endpoint", FORBIDDEN, token=True), "endpoint", "403", AUTH),
    Fault("the endpoint is paused", say("endpoint", PAUSED, token=True), "endpoint", "is paused", REACH),
    Fault("the endpoint sleeps", say("endpoint", ASLEEP, token=True), "endpoint", "scaled to zero", REACH),
    Fault("another account's or region's name", say("endpoint", Reply(404)), "endpoint", "nothing there", REACH),
    Fault("large packets are lost on the way", drops_large, "mtu", "many packets", REACH),
    Fault("the proxy does not run", port("proxy", closed), "proxy", "no proxy answers", REACH),
    Fault("another program holds the proxy's port", say("proxy", Reply(404)), "proxy", "not this proxy", REACH),
    Fault(
        "the proxy's spool is full",
        say("proxy", json_reply({"status": "the spool is full"}, 503), path="/readyz"), "proxy", "spool is full", LOGS,
    ),
    Fault(
        "the token is lost before the endpoint",
        say("proxy", UNAUTHORIZED, path="/health", token=True), "token passed", "token is lost", AUTH,
    ),
    Fault("something buffers streams", in_one_piece, "streaming", "buffers", REACH),
    Fault("the ingestion server is down", port("server", closed), "store", "does not answer", LOGS),
    Fault(
        "the ingestion token was revoked",
        change(servers=lambda plan: [replace(plan.servers[0], token="old", own=False)]),
        "ingestion token", "refuses the token", LOGS,
    ),
    Fault(
        "AKTO_API_BASE_URL is something else",
        say("server", Reply(404), path="/api/auth-check"), "store token", "no ingestion server", LOGS,
    ),
    Fault("the server forgets what it took", forgets, "store trace", "reading it back failed", LOGS),
    Fault("no ingestion server is set", change(servers=lambda plan: []), "ingestion", "stay in the spool", LOGS),
    Fault(
        "the shipper is stuck", lambda house: house.kept.discard(TRACE), "trace kept", "did not reach the store", LOGS,
    ),
    Fault("the disk cannot be written", no_disk, "spool", "cannot be written", LOGS),
    Fault("the policy file has a mistake", broken_policy, "policy", "policy.yaml", GUARD),
    Fault("the policy acts on nothing", change(probe=lambda: None), "policy", "acts on none", GUARD, WARN),
    Fault(
        "the policy only watches",
        change(probe=lambda: replace(BLOCK, monitored=True)), "policy", "monitor mode", GUARD, WARN,
    ),
    Fault("the running proxy has an older policy", passes_everything, "guardrail", "should be blocked", GUARD),
    Fault("clients go around the proxy", not_through, "guardrail", "did not go through", GUARD),
    Fault("a secret comes back unchanged", secret_returns, "guardrail", "secret came back", GUARD),
    Fault("the trace shows another decision", only_alerts, "guardrail", "its trace says alert", GUARD),
    Fault(
        "the chat route is left unguarded",
        setting(GUARDRAIL_ENDPOINTS="POST:/generate"), "coverage", "without guardrails", GUARD,
    ),
    Fault(
        "streams are left unguarded",
        setting(APPLY_GUARDRAILS_TO_SSE="false"), "coverage", "are not read", GUARD, WARN,
    ),
    Fault(
        "the limits store is down",
        lambda house: house.settings.update(LIMITS_URL=f"redis://127.0.0.1:{free_port()}"),
        "limits store", "does not answer", REACH,
    ),
    Fault(
        "too few open files for the settings",
        setting(MAX_CONNECTIONS="1000000"), "open files", "open files", Trouble.NONE, WARN,
    ),
)  # fmt: skip


def report_of(house: House) -> Report:
    return Report(tuple(examine(house.plan())))


@pytest.fixture
def house(town: Town, tmp_path: Path) -> House:
    return House(town, tmp_path / "data")


def test_a_house_that_is_well_is_called_well(house: House):
    report = report_of(house)
    assert [r for r in report.results if r.state in (State.FAIL, State.WARN)] == []
    assert report.exit_code == 0
    assert report.troubles == ()


def test_a_house_that_is_well_is_called_well_when_it_is_woken(house: House):
    house.changes["wake"] = True
    report = report_of(house)
    assert [r for r in report.results if r.state in (State.FAIL, State.WARN)] == []
    states = {r.name: r.state for r in report.results}
    assert [states[n] for n in ("token passed", "inference", "streaming")] == [State.OK] * 3


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_the_planted_fault_is_named(house: House, fault: Fault):
    fault.plant(house)
    report = report_of(house)
    found = next(r for r in report.results if r.name == fault.check)
    assert found.state is fault.state, report
    assert fault.words in found.what
    assert found.trouble is fault.trouble
    assert found.fix
    bad = [r for r in report.results if r.state in (State.FAIL, State.WARN)]
    assert bad[0] is found, "nothing that comes earlier is blamed"
    if fault.state is State.FAIL:
        assert report.troubles[0][0] is fault.trouble
        assert report.exit_code == (2 if fault.trouble is Trouble.CONFIGURATION else 1)
    else:
        assert report.exit_code == 0
    texts = " ".join(f"{r.what} {r.fix}" for r in report.results)
    assert "hf_made_up" not in texts
    assert "user:pw" not in texts


def test_every_trouble_of_the_guide_is_among_the_faults():
    assert {fault.trouble for fault in FAULTS} >= {REACH, AUTH, LOGS, GUARD}
    assert len(FAULTS) >= 25


def test_the_document_has_this_table():
    rows = [
        f"| {f.name} | {f.trouble.value or '-'} | `{f.check}`: {f.state.value} | ... {f.words} ... |" for f in FAULTS
    ]
    table = "\n".join(["| planted fault | trouble | check | words |", "|---|---|---|---|", *rows])
    text = DOC.read_text("utf-8") if DOC.exists() else "<!-- faults -->\n<!-- end of faults -->"
    fresh = re.sub(r"(?s)(<!-- faults -->\n).*?(<!-- end of faults -->)", lambda m: f"{m[1]}\n{table}\n\n{m[2]}", text)
    if os.environ.get("AKTO_WRITE_DOCS"):
        DOC.write_text(fresh, "utf-8")
    assert fresh == text or os.environ.get("AKTO_WRITE_DOCS"), "run with AKTO_WRITE_DOCS=1"


def test_what_a_check_itself_does_wrong_stops_nothing(house: House):
    def broken(name: str, timeout: float) -> tuple[str, ...]:
        raise RuntimeError("with a secret in its message")

    house.changes["lookup"] = broken
    report = report_of(house)
    assert any(r.name == "network" and "RuntimeError" in r.what for r in report.results)
    assert "secret in its message" not in str(report)
    assert next(r for r in report.results if r.name == "guardrail").state is State.OK


def test_no_call_without_wake_carries_the_token(house: House):
    seen: list[bool] = []
    well = house.minds["endpoint"]

    def mind(method: str, path: str, headers: dict[str, str], body: bytes) -> Reply:
        seen.append("authorization" in headers)
        return well(method, path, headers, body)

    house.minds["endpoint"] = mind
    report_of(house)
    assert seen
    assert not any(seen)
