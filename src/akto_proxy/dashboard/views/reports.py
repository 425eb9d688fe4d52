"""Reports: a week in numbers, and which control is served by which policy with what effect. Printable, and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from akto_proxy.dashboard.conditions import conditions
from akto_proxy.dashboard.coverage import coverage, last_of
from akto_proxy.dashboard.figures import top_callers
from akto_proxy.dashboard.formats import iso
from akto_proxy.dashboard.house import House, house, in_force
from akto_proxy.dashboard.roles import Need
from akto_proxy.dashboard.web import Area, NotFoundError
from akto_proxy.model import Mode
from akto_proxy.policy.clause import Clause
from akto_proxy.store.face import By, Count, Filter

AREA = Area()


@AREA.get("/reports", Need.READ)
def report(request: Request) -> Response:
    """The report of a time (a week if none is asked for)."""
    return house(request).pages.answer(request, "report.html", contents(request))


def contents(request: Request) -> dict[str, Any]:
    """What a report says: a time in numbers, and the control evidence of one framework or all."""
    parts = house(request)
    asked = conditions(request.query_params, parts.clock(), default="7d")
    where = asked.where
    framework = request.query_params.get("framework", "")[:100]
    evidence = frameworks(parts, where)
    _, callers = top_callers(parts, where, 10)
    return {
        "title": "Report",
        "section": "reports",
        "asked": asked,
        "start": where.since or parts.traces.storage().oldest,
        "end": parts.clock(),
        "totals": parts.traces.totals(where),
        "days": parts.traces.timeline(where, step=86400),
        "rules": parts.traces.top(By.RULE, where, limit=15),
        "entities": [item for item in parts.traces.top(By.ENTITY, where, limit=30) if item.redacted or item.blocked],
        "callers": callers,
        "endpoints": parts.traces.top(By.ENDPOINT, where, limit=15),
        "frameworks": {name: rows for name, rows in evidence.items() if framework in ("", name)},
        "every": sorted(evidence),
        "framework": framework,
        "printer": parts.printer is not None,
        "incidents": [item for item in parts.control.incidents(limit=200) if item.updated >= where.since],
        "version": parts.control.active(),
    }


@AREA.get("/reports/report.pdf", Need.EXPORT)
def pdf(request: Request) -> Response:
    """The report as a PDF file, where this server has a Chromium to print it."""
    parts = house(request)
    if parts.printer is None:
        raise NotFoundError("This server has no Chromium. Print the report from your browser.")
    values = contents(request)
    made = parts.printer.pdf(parts.pages.text("report_print.html", values), parts.pages.statics.text("app.css"))
    parts.note(request, "report.export", "report.pdf", values["asked"].since)
    headers = {"content-disposition": 'attachment; filename="guardrail-report.pdf"'}
    return Response(made, media_type="application/pdf", headers=headers)


def frameworks(parts: House, where: Filter) -> dict[str, list[dict[str, Any]]]:
    """By framework, each control with the rules in force that serve it and what their policies did."""
    counts = {count.name: count for count in parts.traces.top(By.POLICY, where, limit=500)}
    served: dict[str, list[Clause]] = {}
    for clause in in_force(parts).policies.clauses():
        for control in clause.controls:
            served.setdefault(control, []).append(clause)
    made: dict[str, list[dict[str, Any]]] = {}
    for control, clauses in sorted(served.items()):
        names = sorted({clause.policy.name for clause in clauses})
        hits = [counts.get(name, Count(name)) for name in names]
        made.setdefault(control.partition(":")[0], []).append(
            {
                "control": control,
                "policies": names,
                "rules": sorted({clause.name for clause in clauses}),
                "enforced": all(clause.policy.mode is Mode.ENFORCE for clause in clauses),
                "monitored": all(clause.policy.mode is Mode.MONITOR for clause in clauses),
                "hits": sum(hit.traces for hit in hits),
                "blocked": sum(hit.blocked for hit in hits),
                "redacted": sum(hit.redacted for hit in hits),
            }
        )
    return made


def coverages(parts: House, where: Filter) -> dict[str, list[dict[str, Any]]]:
    """How a call like the last one of each endpoint and route was guarded."""
    made: dict[str, list[dict[str, Any]]] = {}
    for by in (By.ENDPOINT, By.ROUTE):
        made[f"{by.value}s"] = [
            {"name": count.name, "calls": count.traces, "state": cover.word, "why": cover.why}
            for count in parts.traces.top(by, where, limit=100)
            for cover in (coverage(parts, last_of(parts, count, by.value)),)
        ]
    return made


@AREA.get("/reports/controls.csv", Need.EXPORT)
def controls_csv(request: Request) -> Response:
    """The control evidence as CSV."""
    parts = house(request)
    asked = conditions(request.query_params, parts.clock(), default="7d")
    rows = [
        (name, row["control"], " ".join(row["policies"]), row["enforced"], row["hits"], row["blocked"], row["redacted"])
        for name, items in frameworks(parts, asked.where).items()
        if request.query_params.get("framework", "") in ("", name)
        for row in items
    ]
    parts.note(request, "report.export", "controls.csv", asked.since)
    head = ("framework", "control", "policies", "enforced", "calls_with_a_hit", "blocked", "redacted")
    return _csv("controls.csv", head, rows)


@AREA.get("/reports/days.csv", Need.EXPORT)
def days_csv(request: Request) -> Response:
    """The days as CSV."""
    parts = house(request)
    asked = conditions(request.query_params, parts.clock(), default="7d")
    rows = [
        (
            iso(b.at),
            b.traces,
            b.allowed,
            b.alerted,
            b.redacted,
            b.blocked,
            b.errors,
            b.prompt_tokens,
            b.completion_tokens,
        )
        for b in parts.traces.timeline(asked.where, step=86400)
    ]
    parts.note(request, "report.export", "days.csv", asked.since)
    head = ("day", "calls", "allowed", "alerted", "redacted", "blocked", "errors", "prompt_tokens", "completion_tokens")
    return _csv("days.csv", head, rows)


def _csv(name: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> Response:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(head)
    writer.writerows([cell(value) for value in row] for row in rows)
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(out.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


def cell(value: object) -> object:
    """A cell that a spreadsheet shows and does not run: callers choose names, and `=cmd()` is one."""
    text = str(value)
    return f"'{text}" if isinstance(value, str) and text[:1] in ("=", "+", "-", "@", "\t", "\r") else value
