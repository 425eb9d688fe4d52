"""Verdicts about traces and guardrails: is a record kept and found again, does the loaded policy act? Pure."""

from __future__ import annotations

from fnmatch import fnmatchcase

from akto_proxy.doctor.facts import FolderFacts, HttpFacts, Probe, TraceFacts
from akto_proxy.doctor.result import Result, Trouble, fail, ok, skip, warn

LOGS, GUARD, REACH = Trouble.LOGS, Trouble.GUARD, Trouble.REACH
_START = "start it: `akto-proxy up` (or `akto-proxy server` where it shall run), and check SERVER_HOST and SERVER_PORT"


def server(name: str, health: HttpFacts, *, own: bool) -> Result:
    """Is the server that takes traces there?"""
    if health.error:
        fix = _START if own else "check AKTO_API_BASE_URL, DNS, and that TCP 443 to it is open from here"
        return fail(name, f"the ingestion server does not answer ({health.error})", fix, LOGS)
    if health.status >= 500:
        return fail(
            name, f"the ingestion server fails ({health.status})", "read its logs; is its database there?", LOGS
        )
    return ok(name, f"the ingestion server answers ({health.status})")


def accepted(name: str, facts: HttpFacts, *, own: bool) -> Result:
    """Is the token good there?"""
    if facts.error:
        return skip(name, f"the ingestion server does not answer ({facts.error})")
    if facts.status in (401, 403):
        what = f"the ingestion server refuses the token ({facts.status})"
        fix = (
            "proxy and server must share DATA_DIR (ingest.key); a stale server of another folder may hold the port"
            if own
            else "set AKTO_API_TOKEN to a token that is not expired or revoked, with the scope to ingest"
        )
        return fail(name, what, fix, LOGS)
    if facts.status in (404, 405):
        what = f"there is no ingestion server at this address ({facts.status})"
        return fail(name, what, "check AKTO_API_BASE_URL and INGEST_FORM (akto or collector)", LOGS)
    if facts.status != 200:
        return warn(name, f"the token check answered {facts.status}", "read the ingestion server's logs", LOGS)
    return ok(name, "the token is accepted")


def read_back(name: str, sent: HttpFacts, found: TraceFacts, trace_id: str) -> Result:
    """Was a marked trace taken, and is it there when asked for?"""
    if sent.error or sent.status != 200:
        why = sent.error or str(sent.status)
        return fail(name, f"a marked trace was not taken ({why})", "see the two checks before this one", LOGS)
    if not found.found:
        why = found.error or "not there"
        fix = "the server said yes but does not have it: check STORE_URL, its disk, and RETENTION_DAYS"
        return fail(name, f"the marked trace {trace_id} was taken, but reading it back failed ({why})", fix, LOGS)
    return ok(name, f"marked trace {trace_id} sent and read back in {found.seconds:.2f} s")


def akto_sent(name: str, sent: HttpFacts, trace_id: str) -> Result:
    """Was a marked trace taken by an Akto server, which offers no way to ask for it again?"""
    if sent.error or sent.status != 200:
        why = sent.error or str(sent.status)
        return fail(name, f"a marked trace was not taken ({why})", "see the two checks before this one", LOGS)
    what = f"marked trace {trace_id} taken; Akto's ingestion API cannot read a record back"
    return ok(name, f"{what}, so look for the host `doctor` in Akto's inventory (it takes minutes)")


def proxy_up(health: HttpFacts, ready: HttpFacts, url: str) -> Result:
    """Does the running proxy take calls?"""
    name = "proxy"
    if health.error:
        fix = "start it (`akto-proxy up` or `akto-proxy proxy`), or give its address: --proxy http://host:port"
        return fail(name, f"no proxy answers at {url} ({health.error})", fix, REACH)
    if health.status != 200 or b"ok" not in health.body:
        what = f"what answers at {url} is not this proxy ({health.status})"
        return fail(name, what, "another program holds the port: change AKTO_PROXY_PORT", REACH)
    if ready.status != 200:
        what = f"the proxy at {url} is alive but not ready: {ready.body[:80].decode('utf-8', 'replace').strip()}"
        return fail(name, what, "if the spool is full, make room or let the ingestion server be reached", LOGS)
    return ok(name, f"ready at {url}")


def policy(probe: Probe | None, problem: str) -> Result:
    """Is a policy loaded that acts on anything we can make up?"""
    name = "policy"
    if problem:
        return fail(name, problem, "correct the policy file: `akto-proxy policy lint FILE`", GUARD)
    if probe is None:
        what = "the policy loads, but acts on none of doctor's made-up prompts (a secret, personal data, an attack)"
        return warn(name, what, "check its scope, rules and mode; give a prompt of your own with --prompt", GUARD)
    if probe.monitored:
        what = f"policy `{probe.policy}` is in monitor mode: `{probe.rule}` is recorded and nothing is changed"
        return warn(name, what, "set `mode: enforce` when you have seen enough", GUARD)
    return ok(name, f"loaded; `{probe.rule}` of policy `{probe.policy}` should {probe.expected} a made-up prompt")


def coverage(guarded: tuple[str, ...], *, streams: bool) -> Result:
    """Do settings leave some routes or streams without guardrails?"""
    name = "coverage"
    if not streams:
        what = "APPLY_GUARDRAILS_TO_SSE=false: streamed answers are not read"
        return warn(name, what, "unset it, unless another guard reads streams", GUARD)
    if guarded and not any(_matches(entry, "/v1/chat/completions") for entry in guarded):
        what = "GUARDRAIL_ENDPOINTS leaves POST /v1/chat/completions without guardrails"
        return fail(name, what, "add POST:/v1/chat/completions, or unset it to guard every route", GUARD)
    return ok(name, "every route and stream is guarded" if not guarded else "the chat route is guarded")


def _matches(entry: str, path: str) -> bool:
    method, _, glob = entry.partition(":")
    return method.upper() in ("POST", "ANY") and fnmatchcase(path, glob)


def triggered(probe: Probe, facts: HttpFacts, trace: TraceFacts) -> Result:
    """Did the made-up prompt meet the policy on its way through the running proxy?"""
    name = "guardrail"
    if facts.error:
        return skip(name, f"the proxy gave no answer ({facts.error})")
    if not facts.trace_id:
        what = "the answer carries no trace id: the call did not go through this proxy"
        return fail(name, what, "check that --proxy and clients' base URL are the proxy's, not the endpoint's", GUARD)
    if probe.secret and probe.secret.encode() in facts.body:
        what = f"the made-up secret came back (trace {facts.trace_id}): the prompt passed unchanged"
        return fail(name, what, _RELOAD, GUARD)
    if probe.expected == "block":
        return _blocked(name, probe, facts)
    return _redacted(name, probe, facts, trace)


_RELOAD = (
    "the running proxy has another policy than the settings here: reload it (SIGHUP), and check POLICY_FILE, PACKS, "
    "GUARDRAIL_ENDPOINTS and scope"
)


def _blocked(name: str, probe: Probe, facts: HttpFacts) -> Result:
    if facts.status == 400 and b"content_filter" in facts.body:
        return ok(name, f"`{probe.rule}` blocked the test prompt before it left (trace {facts.trace_id})")
    what = f"the test prompt should be blocked by `{probe.rule}`, but the proxy answered {facts.status}"
    return fail(name, f"{what} (trace {facts.trace_id})", _RELOAD, GUARD)


def _redacted(name: str, probe: Probe, facts: HttpFacts, trace: TraceFacts) -> Result:
    if not trace.found:
        why = trace.error or "not there"
        what = f"the decision on the test prompt cannot be read back ({why}; trace {facts.trace_id})"
        return warn(name, what, "see the checks of the ingestion server; the trace says what was decided", GUARD)
    if trace.verdict == probe.expected:
        return ok(name, f"`{probe.rule}`: {trace.verdict} on the test prompt (trace {facts.trace_id})")
    said = trace.verdict or "nothing"
    what = f"the test prompt should meet `{probe.rule}` ({probe.expected}), but its trace says {said}"
    return fail(name, f"{what} (trace {facts.trace_id})", _RELOAD, GUARD)


NO_SERVER = "no ingestion server"
"""Why a trace was not found where nobody could be asked for it."""


def arrived(facts: HttpFacts, trace: TraceFacts) -> Result:
    """Did the trace of the call through the proxy reach the store by itself?"""
    name = "trace kept"
    if facts.error or not facts.trace_id:
        return skip(name, "no call went through the proxy")
    if trace.found:
        return ok(name, f"trace {facts.trace_id} went through spool and shipper to the store in {trace.seconds:.1f} s")
    if trace.error == "cannot be asked":
        return skip(name, "the ingestion server's API has no way to ask for a trace")
    if trace.error == NO_SERVER:
        return skip(name, "there is no ingestion server to ask for it")
    why = trace.error or "not there"
    what = f"trace {facts.trace_id} did not reach the store within {trace.seconds:.0f} s ({why})"
    return fail(name, what, "see `akto-proxy spool ls`, the shipper's log lines, and the ingestion checks", LOGS)


def spool(facts: FolderFacts, limit: int) -> Result:
    """Can traces be kept on this machine's disk?"""
    name = "spool"
    if facts.error:
        what = f"{facts.path} cannot be written ({facts.error})"
        return fail(name, what, "set DATA_DIR to a folder this user may write, on a disk with room", LOGS)
    if facts.free < 64 << 20:
        what = f"{facts.path}: only {facts.free >> 20} MiB free"
        return fail(name, what, "make room, or set DATA_DIR to another disk: a full spool drops or blocks", LOGS)
    if facts.free < limit:
        what = f"{facts.path}: {facts.free >> 20} MiB free, less than SPOOL_MAX_SIZE ({limit >> 20} MiB)"
        return warn(
            name, what, "make room, or lower SPOOL_MAX_SIZE, so that the limit is reached before the disk's end"
        )
    return ok(
        name, f"{facts.path} writable, {facts.free >> 30} GiB free, a sync takes {facts.sync_seconds * 1000:.1f} ms"
    )
