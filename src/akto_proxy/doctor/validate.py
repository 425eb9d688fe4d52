"""The guide's end-to-end validation: six steps, each shown with what was sent, what came back and what was kept.

It calls as a user would, with the user's token, through the running proxy. What it prints of bodies is what the store
kept (masked) and its own made-up prompts; a step that cannot be shown says so instead of passing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import orjson

from akto_proxy.doctor import endpoint, http, records
from akto_proxy.doctor.facts import HttpFacts, Probe, Target
from akto_proxy.doctor.result import Result, Trouble, fail, ok, skip, warn
from akto_proxy.model import Action, Decision, Trace

CHAT = "/v1/chat/completions"
QUESTION = "In one short sentence: what is the capital of France?"
SHOWN = 300
"""Characters of a body that are shown."""
_RELOAD = "run `akto-proxy doctor`; reload the proxy's policy (SIGHUP)"


STEPS = ("2 request and response", "3 stored trace", "4 guardrail hit", "5 redaction", "6 decisions recorded")
"""The steps after the first, which asks whether the proxy answers at all."""
Seen = tuple[tuple[str, str], ...]
"""What there is to see: a word for it, and the text."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step: its verdict and what there is to see."""

    result: Result
    seen: Seen = ()


@dataclass(frozen=True, slots=True)
class Tour:
    """What validation needs. `fetch` gives a kept trace, None while it is not there; None for itself: no store here."""

    proxy: Target
    probes: Sequence[Probe]
    fetch: Callable[[str], Trace | None] | None
    token: str = ""
    model: str = "tgi"
    timeout: float = 120.0
    patience: float = 15.0
    sleep: Callable[[float], None] = time.sleep


def validate(tour: Tour) -> Iterator[Step]:
    """The six steps, as they are done."""
    alive = http.call(tour.proxy, "GET", "/healthz", timeout=5)
    ready = http.call(tour.proxy, "GET", "/readyz", timeout=5)
    yield Step(_renamed(records.proxy_up(alive, ready, tour.proxy.url), "1 proxy"))
    if alive.error:
        for name in STEPS:
            yield Step(skip(name, "the proxy does not answer"))
        return
    answer = _ask(tour, QUESTION)
    yield _pair(answer)
    yield _kept(tour, answer)
    block = next((item for item in tour.probes if item.expected == Action.BLOCK.label and not item.monitored), None)
    redact = next((item for item in tour.probes if item.expected == Action.REDACT.label and not item.monitored), None)
    hit = _ask(tour, block.prompt) if block else None
    yield _hit(block, hit)
    changed = _ask(tour, redact.prompt) if redact else None
    yield _redaction(tour, redact, changed)
    yield _decisions(tour, [(probe, facts) for probe, facts in ((block, hit), (redact, changed)) if probe and facts])


def _ask(tour: Tour, prompt: str) -> HttpFacts:
    headers = {"Content-Type": "application/json", "X-Session-Id": "validate"}
    if tour.token:
        headers["Authorization"] = f"Bearer {tour.token}"
    body = http.chat(prompt, model=tour.model, tokens=48)
    return http.call(tour.proxy, "POST", CHAT, headers=headers, body=body, timeout=tour.timeout)


def _pair(answer: HttpFacts) -> Step:
    name = STEPS[0]
    seen = (("sent", QUESTION), ("got", _got(answer)))
    if not answer.error and not answer.trace_id:
        what = "the answer carries no trace id: the call did not go through this proxy"
        return Step(fail(name, what, "point --proxy at the proxy, not at the endpoint", Trouble.REACH), seen)
    return Step(_renamed(endpoint.inference(answer), name), seen)


def _kept(tour: Tour, answer: HttpFacts) -> Step:
    name = STEPS[1]
    trace = _fetch(tour, answer.trace_id)
    if tour.fetch is None:
        return Step(skip(name, "no store can be opened from here (STORE_URL)", "look in the dashboard of your server"))
    if trace is None:
        what = f"the trace {answer.trace_id or 'of the call'} is not in the store after {tour.patience:.0f} s"
        return Step(fail(name, what, "run `akto-proxy doctor`: it says where it stays", Trouble.LOGS))
    return Step(ok(name, f"{trace.id}: {trace.method} {trace.path}, {trace.status}, {trace.outcome}"), _bodies(trace))


def _hit(probe: Probe | None, facts: HttpFacts | None) -> Step:
    name = STEPS[2]
    if probe is None or facts is None:
        what = "the loaded policy blocks none of the made-up prompts"
        return Step(warn(name, what, "if it should: check its scope, rules and mode", Trouble.GUARD))
    seen = (("sent", probe.prompt), ("got", _got(facts)))
    if facts.status == 400 and b"content_filter" in facts.body:
        return Step(ok(name, f"`{probe.rule}` blocked it before it left"), seen)
    what = f"`{probe.rule}` should block it, but {_answered(facts)}"
    return Step(fail(name, what, _RELOAD, Trouble.GUARD), seen)


def _redaction(tour: Tour, probe: Probe | None, facts: HttpFacts | None) -> Step:
    name = STEPS[3]
    if probe is None or facts is None:
        what = "the loaded policy redacts none of the made-up prompts"
        return Step(warn(name, what, "if it should: check its scope, rules and mode", Trouble.GUARD))
    trace = _fetch(tour, facts.trace_id)
    seen: Seen = (("sent", probe.prompt), ("got", _got(facts)))
    if trace is not None:
        seen = (*seen, *_bodies(trace))
    leaks = probe.secret and (
        probe.secret.encode() in facts.body
        or (trace is not None and probe.secret in trace.request.body + trace.response.body)
    )
    if leaks:
        what = f"the made-up value of `{probe.rule}` came back, or is in the store"
        return Step(
            fail(name, what, "run `akto-proxy doctor`; reload the proxy's policy (SIGHUP)", Trouble.GUARD), seen
        )
    if facts.error or not facts.trace_id:
        return Step(fail(name, f"no answer ({facts.error})", "run `akto-proxy doctor`", Trouble.REACH), seen)
    return Step(ok(name, f"`{probe.rule}`: neither in the answer nor in what was kept"), seen)


def _decisions(tour: Tour, asked: Sequence[tuple[Probe, HttpFacts]]) -> Step:
    name = STEPS[4]
    if tour.fetch is None:
        return Step(skip(name, "no store can be opened from here (STORE_URL)"))
    if not asked:
        return Step(skip(name, "the policy acted on nothing"))
    seen, missing = [], []
    for probe, facts in asked:
        trace = _fetch(tour, facts.trace_id)
        decided = trace.decisions if trace else ()
        seen += [(facts.trace_id, _line(item)) for item in decided]
        if not any(item.action.label == probe.expected for item in decided):
            missing.append(probe.rule)
    if missing:
        what = f"no {'/'.join(missing)} decision is in the store"
        return Step(fail(name, what, "run `akto-proxy doctor`", Trouble.LOGS), tuple(seen))
    return Step(ok(name, f"{len(seen)} decisions in {len(asked)} traces"), tuple(seen))


def _line(item: Decision) -> str:
    return f"{item.action.label} {item.severity.label} {item.rule} ({item.entity}) by {item.policy} at {item.place}"


def _fetch(tour: Tour, trace_id: str) -> Trace | None:
    if tour.fetch is None or not trace_id:
        return None
    waited = 0.0
    while True:
        found = tour.fetch(trace_id)
        if found is not None or waited >= tour.patience:
            return found
        tour.sleep(0.25)
        waited += 0.25


def _bodies(trace: Trace) -> Seen:
    times = trace.timing
    took = f"{times.total / 1000:.1f} ms in all, guard {times.guard / 1000:.2f} ms"
    pairs = (("kept request", trace.request), ("kept response", trace.response))
    return (*((name, _short(message.body) or f"({message.encoding})") for name, message in pairs), ("took", took))


def _answered(facts: HttpFacts) -> str:
    return f"the proxy answered {facts.status}" if facts.status else f"no answer came ({facts.error})"


def _got(facts: HttpFacts) -> str:
    return f"HTTP {facts.status}  {said(facts.body)}" if facts.status else f"no answer ({facts.error})"


def said(body: bytes) -> str:
    """The text of a chat answer or of an error, shortened."""
    try:
        tree = orjson.loads(body)
        if "choices" in tree:
            return _short(str(tree["choices"][0]["message"]["content"]))
        error = tree.get("error", "")
        return _short(str(error.get("message", "") if isinstance(error, dict) else error))
    except (orjson.JSONDecodeError, KeyError, IndexError, TypeError, AttributeError):
        return _short(body.decode("utf-8", "replace"))


def _short(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def _renamed(result: Result, name: str) -> Result:
    return Result(name, result.state, result.what, result.fix, result.trouble)
