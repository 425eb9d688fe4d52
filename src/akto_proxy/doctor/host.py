"""Verdicts about this machine: settings, open files, the limits' store. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from akto_proxy.doctor.facts import HostFacts
from akto_proxy.doctor.result import Result, Trouble, fail, ok, warn

_SPARE = 256


def configuration(problem: str, app_url: str, slips: Sequence[tuple[str, str]] = ()) -> Result:
    """Can the settings be used? `slips` are variables that are no setting, each with the one it may be meant for."""
    name = "configuration"
    if problem:
        fix = "docs/settings.md lists every setting; the checks below use what could be read"
        if "APP_URL" in problem:
            fix += ", so the endpoint below is the built-in demonstration"
        return fail(name, problem, fix, Trouble.CONFIGURATION)
    if slips:
        what = "; ".join(f"{given} is no setting, so it does nothing" for given, _ in slips)
        return warn(name, what, f"was {', '.join(meant for _, meant in slips)} meant?", Trouble.CONFIGURATION)
    if not app_url:
        what = "APP_URL is not set: the built-in demonstration endpoint stands in"
        return warn(name, what, "export APP_URL=https://<id>.<region>.aws.endpoints.huggingface.cloud")
    if app_url.startswith("http://") and "huggingface" in app_url:
        return warn(name, "APP_URL is http://: tokens and prompts travel in the clear", "use https://")
    return ok(name, f"settings are well; APP_URL is {app_url}")


def open_files(facts: HostFacts, connections: int) -> Result:
    """May a worker hold as many sockets as the settings allow clients?"""
    name = "open files"
    need = 2 * connections + _SPARE
    if facts.files_soft < 0:
        return ok(name, "no limit on open files")
    if facts.files_soft >= need:
        return ok(name, f"limit {facts.files_soft}, {need} needed for MAX_CONNECTIONS={connections}")
    what = f"at most {facts.files_soft} open files, MAX_CONNECTIONS={connections} may need {need} in each worker"
    fix = f"raise it (LimitNOFILE={need} in systemd, ulimits in compose), or lower MAX_CONNECTIONS"
    return warn(name, what, fix)


def limits_store(url_set: bool, problem: str) -> Result:
    """Is the store that shares limits between machines there?"""
    name = "limits store"
    if not url_set:
        return ok(name, "limits are kept on this machine (LIMITS_URL is not set)")
    if problem:
        what = f"the limits store does not answer ({problem})"
        return fail(name, what, "check LIMITS_URL, its password, and that its port is open from here", Trouble.REACH)
    return ok(name, "the limits store answers")
