"""Reports by the API: the files of the page, for those who may export, and nothing for a mistake."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest


def test_the_days_add_up(filled: Any, control: Any, sign_in: Any) -> None:
    answer = sign_in("analyst").get("/api/v1/reports/days.csv?since=7d")
    assert answer.headers["content-type"].startswith("text/csv")
    assert sum(int(row["calls"]) for row in csv.DictReader(io.StringIO(answer.text))) == filled.count()
    assert control.notes(action="report.export")[0].subject == "days.csv"


def test_the_evidence_of_one_framework(filled: Any, sign_in: Any) -> None:
    answer = sign_in("analyst").get("/api/v1/reports/controls.csv?framework=GDPR")
    assert {row["framework"] for row in csv.DictReader(io.StringIO(answer.text))} == {"GDPR"}


@pytest.mark.parametrize("name", ["report.pdf", "days.csv", "controls.csv"])
def test_who_may_not_export_and_what_is_not_known_is_refused(name: str, sign_in: Any) -> None:
    assert sign_in("viewer").get(f"/api/v1/reports/{name}").status_code == 403
    assert sign_in("analyst").get(f"/api/v1/reports/{name}?sinse=7d").status_code == 422


def test_a_server_that_cannot_print_says_so(sign_in: Any) -> None:
    answer = sign_in("analyst").get("/api/v1/reports/report.pdf")
    assert answer.status_code == 404
    assert "Chromium" in answer.json()["error"]["message"]


def test_the_document_names_the_kinds_of_files(sign_in: Any) -> None:
    paths = sign_in("viewer").get("/api/v1/openapi.json").json()["paths"]
    kinds = {
        name: list(paths[f"/api/v1/reports/{name}"]["get"]["responses"]["200"]["content"])
        for name in ("report.pdf", "days.csv")
    }
    assert kinds == {"report.pdf": ["application/pdf"], "days.csv": ["text/csv"]}
