"""Reports: numbers of a time, control evidence of one framework, the same as CSV and as PDF."""

from __future__ import annotations

import csv
import random
from typing import Any

import pytest
from starlette.testclient import TestClient

from akto_proxy.dashboard.app import create_app
from akto_proxy.store.control import Person


def test_evidence_can_be_of_one_framework(filled: Any, sign_in: Any) -> None:
    client = sign_in("analyst")
    every = client.get("/reports").text
    assert "<h2>OWASP-LLM</h2>" in every
    assert "<h2>GDPR</h2>" in every
    one = client.get("/reports?framework=GDPR").text
    assert "<h2>GDPR</h2>" in one
    assert "<h2>OWASP-LLM</h2>" not in one
    rows = list(csv.DictReader(client.get("/reports/controls.csv?framework=GDPR").text.splitlines()))
    assert {row["framework"] for row in rows} == {"GDPR"}
    assert any(int(row["calls_with_a_hit"]) for row in rows)


@pytest.mark.parametrize(
    ("modes", "word"),
    [
        (("enforce", "enforce"), "Enforced"),
        (("monitor", "enforce"), "Partly enforced"),
        (("monitor",) * 2, "Monitored"),
    ],
)
def test_a_control_is_enforced_in_part_or_only_watched(
    modes: tuple[str, str], word: str, control: Any, clock: Any, sign_in: Any
) -> None:
    rule = "rules: [{words: [x], action: alert, controls: [SOC2:CC6.1]}]"
    policies = "".join(f"  - {{name: p{n}, mode: {mode}, {rule}}}\n" for n, mode in enumerate(modes))
    control.add_version(f"version: 1\npolicies:\n{policies}", author="ada", at=clock())
    page = sign_in("viewer").get("/reports").text
    assert page.partition("<h2>SOC2</h2>")[2].count(f">{word}<") == 1


def test_days_add_up_to_what_passed(filled: Any, control: Any, sign_in: Any) -> None:
    rows = list(csv.DictReader(sign_in("analyst").get("/reports/days.csv").text.splitlines()))
    assert sum(int(row["calls"]) for row in rows) == filled.count()
    assert control.notes(action="report.export")[0].subject == "days.csv"


class Paper:
    """A printer that keeps what it was given."""

    def pdf(self, html: str, css: str) -> bytes:
        self.html, self.css = html, css
        return b"%PDF-1.7"


@pytest.fixture
def printing(filled: Any, control: Any, workshop: Any, clock: Any) -> tuple[Paper, Any]:
    paper = Paper()
    app = create_app(
        traces=filled, control=control, workshop=workshop, clock=clock, randomness=random.Random(3).randbytes,
        printer=paper,  # type: ignore[arg-type]
    )  # fmt: skip

    def client(role: str) -> TestClient:
        control.keep_person(Person(role, role, "!"))
        made = TestClient(app, base_url="http://dash.test", follow_redirects=False)
        made.cookies.set("akto_session", app.state.house.sessions.begin(role))
        return made

    return paper, client


def test_the_pdf_holds_the_report_and_nothing_to_load_or_run(printing: Any, control: Any) -> None:
    paper, client = printing
    assert client("viewer").get("/reports/report.pdf").status_code == 403
    answer = client("analyst").get("/reports/report.pdf?framework=GDPR&since=7d")
    assert answer.content == b"%PDF-1.7"
    assert answer.headers["content-type"] == "application/pdf"
    assert "<h2>GDPR</h2>" in paper.html
    assert "<h2>OWASP-LLM</h2>" not in paper.html
    for word in ("<script", "http://", "https://", 'src="', "/static/", "csrf"):
        assert word not in paper.html
    assert "default-src 'none'" in paper.html
    assert "@media print" in paper.css
    assert control.notes(action="report.export")[0].subject == "report.pdf"


def test_without_a_browser_people_print_from_their_own(filled: Any, sign_in: Any) -> None:
    client = sign_in("analyst")
    assert client.get("/reports/report.pdf").status_code == 404
    assert "Print or save as PDF" in client.get("/reports").text
