"""Verdicts about what answers at the other end: Hugging Face's states told apart, an inference, a stream. Pure.

A call without a token is refused by Hugging Face's gateway at once and wakes nothing, so it is what doctor asks by
default; only with `--wake` is the endpoint called with the token, which may start (and bill) it.
"""

from __future__ import annotations

from akto_proxy.doctor.facts import HttpFacts, StreamFacts, Target
from akto_proxy.doctor.result import Result, Trouble, fail, ok, skip, warn
from akto_proxy.exchange import outcome

REACH, AUTH = Trouble.REACH, Trouble.AUTH

_FIXES: dict[str, tuple[str, str, Trouble]] = {
    "upstream_unauthorized": (
        "401: the token is missing, wrong or expired, or it was not passed on",
        "send `Authorization: Bearer hf_...` of the endpoint's owner or organization; the proxy passes it as it is",
        AUTH,
    ),
    "upstream_forbidden": (
        "403: the token is known but may not call this endpoint",
        "give the fine-grained token the permission `inference.endpoints.infer.write` for this organization",
        AUTH,
    ),
    "upstream_paused": (
        "400: the endpoint is paused; calls do not wake it",
        "resume it in Hugging Face's console (a deleted VPC endpoint pauses it too)",
        REACH,
    ),
    "upstream_scaled_to_zero": (
        "503: the endpoint is scaled to zero; a call with a token wakes it (half a minute to minutes)",
        "retry, send `X-Scale-Up-Timeout: 600`, or set its minimum replicas to 1",
        REACH,
    ),
    "upstream_not_found": (
        "404: the name is reached, but there is nothing there",
        "check the endpoint's name and region in APP_URL, that it belongs to this account, and the model name and path",
        REACH,
    ),
    "upstream_error": (
        "the endpoint fails (5xx)",
        "read the endpoint's own logs at Hugging Face; a rolling update gives 503 for about a minute",
        REACH,
    ),
}


def state(facts: HttpFacts, target: Target, *, token: bool) -> Result:
    """What the endpoint says to a small request: which of its states is it in?"""
    name = "endpoint"
    if facts.error:
        fix = "see the checks before this one: name, TCP, TLS"
        return fail(name, f"{target.url} gave no answer ({facts.error})", fix, REACH)
    word = outcome.of_answer(facts.status, facts.body)
    if word == "upstream_unauthorized" and not token:
        return ok(name, "reached; it asks for a token, as it should (asked without one, so that nothing wakes)")
    if word == "upstream_not_found" and not target.is_hugging_face:
        return ok(name, "reached; an application needs no health page (404)")
    if word in _FIXES:
        what, fix, trouble = _FIXES[word]
        return fail(name, what, fix, trouble)
    if token:
        return ok(name, f"reached with the token: {facts.status}")
    return _open(name, facts, target)


def _open(name: str, facts: HttpFacts, target: Target) -> Result:
    what = f"reached: {facts.status} without a token"
    if target.is_hugging_face:
        fix = "set its authentication to Private (it is apart from PrivateLink), unless others shall call it"
        return warn(name, f"{what}; anyone who reaches this address may call the model", fix)
    return ok(name, what)


def token_passed(direct: HttpFacts, through: HttpFacts) -> Result:
    """Does the token that works directly work through the proxy too?"""
    name = "token passed"
    if through.error:
        return skip(name, f"the proxy gave no answer ({through.error})")
    if direct.error or direct.status >= 400:
        return skip(name, "the endpoint does not accept the token directly either")
    if through.status in (401, 403):
        what = (
            f"the endpoint answers {direct.status} directly, but {through.status} through the proxy: the token is lost"
        )
        fix = "something before the proxy drops or replaces `Authorization` (a gateway, a sidecar): let it pass"
        return fail(name, what, fix, AUTH)
    return ok(name, f"{through.status} through the proxy, {direct.status} directly")


def inference(facts: HttpFacts) -> Result:
    """Did a real (tiny) inference through the proxy succeed?"""
    name = "inference"
    if facts.error:
        return fail(name, f"no answer through the proxy ({facts.error})", "see the checks before this one", REACH)
    if facts.status == 200:
        return ok(name, f"200 in {facts.seconds:.2f} s through the proxy")
    word = outcome.of_answer(facts.status, facts.body)
    if word in _FIXES:
        what, fix, trouble = _FIXES[word]
        return fail(name, what, fix, trouble)
    what = f"{facts.status} to a small chat call"
    return warn(name, what, "the engine may not speak this route or ask for another model name (--model)")


def stream(through: StreamFacts, direct: StreamFacts) -> Result:
    """Do a stream's pieces arrive as they are made, or all at the end?"""
    name = "streaming"
    if through.http.error or through.http.status != 200:
        why = through.http.error or f"status {through.http.status}"
        return skip(name, f"no stream came through the proxy ({why})")
    if buffered(direct):
        what = "the endpoint itself (or something before it) sends streams in one piece"
        return warn(name, what, "check `stream` support of the engine, and proxies between this machine and it")
    if buffered(through):
        what = f"{len(through.arrivals)} pieces arrived together: something between the proxy and the caller buffers"
        fix = "switch buffering off there (nginx: proxy_buffering off; load balancers: no response buffering)"
        return fail(name, what, fix, REACH)
    first, last = through.arrivals[0], through.arrivals[-1]
    return ok(name, f"{len(through.arrivals)} pieces, the first after {first:.3f} s, the last after {last:.3f} s")


def buffered(facts: StreamFacts) -> bool:
    """Whether pieces came together at the end, though making them took time."""
    if len(facts.arrivals) < 2:
        return facts.http.status == 200 and facts.http.seconds > 0.2
    first, last = facts.arrivals[0], facts.arrivals[-1]
    return last > 0.2 and (last - first) < 0.2 * last
