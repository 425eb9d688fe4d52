"""Every check in order, each in a boundary of its own: what one meets never stops the next.

Facts are gathered here and given to the pure verdicts. A gatherer that fails in a way nobody foresaw becomes a failed
check with the exception's name (its message may hold anything), and the round goes on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from akto_proxy.config.settings import Settings
from akto_proxy.doctor import aws, endpoint, host, http, ingestion, machine, network, records, sockets
from akto_proxy.doctor.facts import DnsFacts, HttpFacts, Probe, StreamFacts, Target, TcpFacts, TraceFacts
from akto_proxy.doctor.ingestion import Ingestion
from akto_proxy.doctor.result import Result, Trouble, fail, skip
from akto_proxy.errors import AktoProxyError
from akto_proxy.model import Trace

LARGE = 32_768
HEALTH = "/health"
CHAT = "/v1/chat/completions"
SESSION = "doctor"


@dataclass(frozen=True, slots=True)
class Plan:
    """What to examine.

    `servers` take traces, the first that can be asked is asked; `probe` finds a prompt the loaded policy acts on;
    `token` is what callers send, sent only with `wake`; `upstream` is what the proxy sends in its place (None: the
    same); `aws` gathers from AWS or says why not.
    """

    settings: Settings
    target: Target
    proxy: Target
    servers: Sequence[Ingestion]
    environ: Mapping[str, str]
    probe: Callable[[], Probe | None]
    new_id: Callable[[], str]
    problem: str = ""
    slips: Sequence[tuple[str, str]] = ()
    token: str = ""
    upstream: str | None = None
    wake: bool = False
    private: bool = False
    model: str = "tgi"
    timeout: float = 5.0
    patience: float = 15.0
    resolvers: tuple[tuple[str, int], ...] = ()
    lookup: Callable[[str, float], tuple[str, ...]] = sockets.lookup
    aws: Callable[[], Sequence[Result]] | None = None
    now: Callable[[], float] = time.time

    @property
    def direct(self) -> str:
        """The token that the endpoint itself wants."""
        return self.token if self.upstream is None else self.upstream


@dataclass(slots=True)
class _Seen:
    """What later checks need of earlier ones."""

    dns: DnsFacts = field(default_factory=lambda: DnsFacts(""))
    tcp: TcpFacts = field(default_factory=lambda: TcpFacts(0))
    bare: HttpFacts = field(default_factory=HttpFacts)
    proxy_up: bool = False
    asked: HttpFacts = field(default_factory=HttpFacts)
    trace: TraceFacts = field(default_factory=TraceFacts)


Step = tuple[str, Trouble, Callable[[Plan, "_Seen"], Iterator[Result]]]


def examine(plan: Plan) -> Iterator[Result]:
    """All results, as they come."""
    seen = _Seen()
    for name, trouble, step in STEPS:
        try:
            yield from step(plan, seen)
        except Exception as error:  # noqa: BLE001 - stops at nothing
            what = f"the check itself failed ({type(error).__name__})"
            yield fail(name, what, "please report this, with the line `akto-proxy version` prints", trouble)


def way(target: Target, timeout: float) -> Iterator[Result]:
    """The way to the endpoint as far as it can be seen without a request: name, TCP, TLS."""
    found = sockets.dns(target.dial[0], machine.resolvers(), timeout)
    yield network.dns(found, private=False)
    if not found.addresses:
        return
    tcp = sockets.tcp(found.addresses, target.dial[1], timeout)
    yield network.tcp(tcp, target)
    if target.scheme == "https" and not all(reason for _, reason in tcp.outcomes):
        yield network.tls(sockets.tls(target, timeout), time.time())


def ingestion_taken(server: Ingestion, timeout: float) -> Iterator[Result]:
    """Is a server that takes traces there, and does it take the token?"""
    health = ingestion.health(server, timeout)
    yield records.server("ingestion", health, own=server.own)
    if not health.error:
        yield records.accepted("ingestion token", ingestion.auth(server, timeout), own=server.own)


def _configuration(plan: Plan, _: _Seen) -> Iterator[Result]:
    yield host.configuration(plan.problem, plan.settings.app_url, plan.slips)


def _way(plan: Plan, seen: _Seen) -> Iterator[Result]:
    name, port = plan.target.dial
    seen.dns = sockets.dns(name, plan.resolvers, plan.timeout, plan.lookup)
    yield network.dns(seen.dns, private=plan.private)
    yield network.environment(machine.environment(plan.environ), (plan.target.host, plan.proxy.host))
    seen.tcp = sockets.tcp(seen.dns.addresses, port, plan.timeout)
    yield network.tcp(seen.tcp, plan.target)


def _tls(plan: Plan, seen: _Seen) -> Iterator[Result]:
    if plan.target.scheme != "https":
        yield skip("tls", "APP_URL is http://")
    elif all(reason for _, reason in seen.tcp.outcomes):
        yield skip("tls", "no TCP connection")
    else:
        yield network.tls(sockets.tls(plan.target, plan.timeout), plan.now())


def _endpoint(plan: Plan, seen: _Seen) -> Iterator[Result]:
    with_token = plan.wake and bool(plan.direct)
    headers = bearer(plan.direct if with_token else "")
    seen.bare = http.call(plan.target, "GET", HEALTH, headers=headers, timeout=plan.timeout)
    yield network.clock(seen.bare)
    yield endpoint.state(seen.bare, plan.target, token=with_token)
    if plan.wake and not plan.direct and plan.target.is_hugging_face:
        yield skip("token", "no token to call the endpoint with", "export HF_TOKEN=hf_... and run with --wake again")
    large = http.call(plan.target, "POST", HEALTH, body=b" " * LARGE, timeout=plan.timeout)
    address = seen.dns.addresses[0] if seen.dns.addresses else ""
    yield network.packets(seen.bare, large, machine.host(address, plan.target.dial[1]).mtu)


def _proxy(plan: Plan, seen: _Seen) -> Iterator[Result]:
    alive = http.call(plan.proxy, "GET", "/healthz", timeout=plan.timeout)
    ready = http.call(plan.proxy, "GET", "/readyz", timeout=plan.timeout)
    result = records.proxy_up(alive, ready, plan.proxy.url)
    seen.proxy_up = not alive.error and alive.status == 200
    yield result


def _inference(plan: Plan, seen: _Seen) -> Iterator[Result]:
    names = ("token passed", "inference", "streaming")
    why = "" if plan.wake else "it would wake the endpoint: run with --wake (and HF_TOKEN) to ask"
    if not seen.proxy_up:
        why = "no proxy answers"
    if why:
        yield from (skip(name, why) for name in names)
        return
    headers = {**_json(plan), **bearer(plan.token)}
    if plan.token:
        through = http.call(plan.proxy, "GET", HEALTH, headers=headers, timeout=plan.timeout)
        yield endpoint.token_passed(seen.bare, through)
    body = http.chat("Say hello.", model=plan.model)
    slow = plan.settings.request_timeout
    yield endpoint.inference(http.call(plan.proxy, "POST", CHAT, headers=headers, body=body, timeout=slow))
    yield endpoint.stream(
        _stream(plan, plan.proxy, headers), _stream(plan, plan.target, {**_json(plan), **bearer(plan.direct)})
    )


def _stream(plan: Plan, target: Target, headers: Mapping[str, str]) -> StreamFacts:
    body = http.chat("Count from one to twenty in words.", model=plan.model, streamed=True, tokens=48)
    return http.stream(target, "POST", CHAT, headers=headers, body=body, timeout=plan.settings.request_timeout)


def _servers(plan: Plan, _: _Seen) -> Iterator[Result]:
    if not plan.servers:
        what = "no ingestion server is set and none of this machine's is known: traces stay in the spool"
        yield fail("ingestion", what, "set AKTO_API_BASE_URL and AKTO_API_TOKEN, or run `akto-proxy up`", Trouble.LOGS)
    needed = not any(not server.own for server in plan.servers)
    for server in plan.servers:
        yield from _server(plan, server, "store" if server.own else "ingestion", needed or not server.own)


def _server(plan: Plan, server: Ingestion, name: str, needed: bool) -> Iterator[Result]:
    health = ingestion.health(server, plan.timeout)
    if health.error and not needed:
        yield skip(name, f"no server of this machine answers ({health.error}); traces go to AKTO_API_BASE_URL")
        return
    yield records.server(name, health, own=server.own)
    if health.error:
        return
    auth = ingestion.auth(server, plan.timeout)
    yield records.accepted(f"{name} token", auth, own=server.own)
    if auth.status != 200:
        yield skip(f"{name} trace", "the token is not accepted")
        return
    trace = marked(plan)
    sent = ingestion.send(server, trace, plan.timeout)
    if server.form == "akto":
        yield records.akto_sent(f"{name} trace", sent, trace.id)
        return
    found = ingestion.find(server, trace.id, 3.0, plan.timeout) if sent.status == 200 else TraceFacts()
    yield records.read_back(f"{name} trace", sent, found, trace.id)


def marked(plan: Plan) -> Trace:
    """A trace that says that doctor made it."""
    return Trace(
        id=plan.new_id(),
        started=plan.now(),
        endpoint="doctor",
        method="GET",
        path="/doctor",
        route="doctor",
        engine="none",
        status=200,
        outcome="ok",
        project=plan.settings.project_name,
        tags=(("made-by", "doctor"),),
    )


def _policy(plan: Plan, seen: _Seen) -> Iterator[Result]:
    yield records.coverage(plan.settings.guardrail_endpoints, streams=plan.settings.apply_guardrails_to_sse)
    problem, probe = "", None
    try:
        probe = plan.probe()
    except Exception as error:  # noqa: BLE001 - whatever a policy can do wrong, said in its own words where it has some
        problem = str(error) if isinstance(error, AktoProxyError) else f"cannot load: {type(error).__name__}"
    yield records.policy(probe, problem)
    if probe is None or probe.monitored:
        yield skip("guardrail", "there is no prompt that the policy should act on")
        return
    if not seen.proxy_up:
        yield skip("guardrail", "no proxy answers")
        return
    managed = plan.settings.auth == "managed"
    if managed and (why := _keyless(plan, probe)):
        yield skip("guardrail", why)
        return
    body = http.chat(probe.prompt, model=plan.model)
    headers = {**_json(plan), **bearer(plan.token if managed else "")}
    seen.asked = http.call(plan.proxy, "POST", CHAT, headers=headers, body=body, timeout=plan.timeout * 2)
    seen.trace = _look(plan, seen.asked.trace_id)
    yield records.triggered(probe, seen.asked, seen.trace)


def _keyless(plan: Plan, probe: Probe) -> str:
    """Why the prompt cannot be sent to a proxy that wants a key of its own, "" when it can."""
    if not plan.token:
        return "AUTH=managed: the proxy wants a key; put one (akto-proxy keys new) in HF_TOKEN and run again"
    blocked = probe.expected == "block"
    return "" if blocked or plan.wake else "AUTH=managed: this prompt would reach the endpoint; run with --wake"


def _look(plan: Plan, trace_id: str) -> TraceFacts:
    if not trace_id:
        return TraceFacts()
    best = TraceFacts(error=records.NO_SERVER if not plan.servers else ingestion.CANNOT_ASK)
    for server in plan.servers:
        if server.form == "akto":
            continue
        best = ingestion.find(server, trace_id, plan.patience, plan.timeout)
        if best.found:
            return best
    return best


def _kept(_: Plan, seen: _Seen) -> Iterator[Result]:
    yield records.arrived(seen.asked, seen.trace)


def _machine(plan: Plan, _: _Seen) -> Iterator[Result]:
    settings = plan.settings
    yield records.spool(machine.folder(settings.data_path / "spool"), settings.spool_max_size)
    url = settings.limits_url
    yield host.limits_store(bool(url), machine.redis_problem(url, plan.timeout) if url else "")
    yield host.open_files(machine.host("", 0), settings.max_connections)


def _aws(plan: Plan, _: _Seen) -> Iterator[Result]:
    yield from plan.aws() if plan.aws is not None else (aws.not_asked(),)


def _json(_: Plan) -> dict[str, str]:
    return {"Content-Type": "application/json", "X-Session-Id": SESSION}


def bearer(token: str) -> dict[str, str]:
    """The header that carries a token; none for none."""
    return {"Authorization": f"Bearer {token}"} if token else {}


STEPS: tuple[Step, ...] = (
    ("configuration", Trouble.CONFIGURATION, _configuration),
    ("network", Trouble.REACH, _way),
    ("tls", Trouble.REACH, _tls),
    ("endpoint", Trouble.REACH, _endpoint),
    ("proxy", Trouble.REACH, _proxy),
    ("inference", Trouble.REACH, _inference),
    ("ingestion", Trouble.LOGS, _servers),
    ("policy", Trouble.GUARD, _policy),
    ("trace kept", Trouble.LOGS, _kept),
    ("machine", Trouble.LOGS, _machine),
    ("aws", Trouble.REACH, _aws),
)
