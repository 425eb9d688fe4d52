"""Reports by the API: the same files that the page offers, with the same roles and the same notes in the audit log."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response

from akto_proxy.dashboard.api.base import Filtering, Word
from akto_proxy.dashboard.roles import Need
from akto_proxy.dashboard.views import reports
from akto_proxy.dashboard.web import API, Area

AREA = Area(API, tag="reports")


class Csv(Response):
    """An answer of lines, for the OpenAPI document."""

    media_type = "text/csv"


class Pdf(Response):
    """An answer that is a PDF file, for the OpenAPI document."""

    media_type = "application/pdf"


class Reporting(Filtering):
    """A time (a week if none is asked for), and the control framework to tell of (all if none is)."""

    framework: Word = ""


Reported = Annotated[Reporting, Query()]


@AREA.get("/reports/report.pdf", Need.EXPORT, response_class=Pdf)
def pdf(request: Request, query: Reported) -> Response:
    """The report as a PDF file; 404 where the server has no Chromium to print it."""
    answer: Response = reports.pdf(request)
    return answer


@AREA.get("/reports/days.csv", Need.EXPORT, response_class=Csv)
def days(request: Request, query: Reported) -> Response:
    """Calls, verdicts, errors and tokens of each day."""
    answer: Response = reports.days_csv(request)
    return answer


@AREA.get("/reports/controls.csv", Need.EXPORT, response_class=Csv)
def controls(request: Request, query: Reported) -> Response:
    """The control evidence."""
    answer: Response = reports.controls_csv(request)
    return answer
