"""What the JSON API's areas share: what may be asked, plain values of our records, the OpenAPI document.

Sign in with `Authorization: Bearer <token>` (a token whose scope is a role). Lists come with `next`, the cursor of the
following page. Enumerations are their words (`block`, `high`), times are Unix seconds, durations microseconds. A
parameter that is not known is refused: a filter with a mistake in its name must not answer with everything.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from enum import Enum, IntEnum
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from akto_proxy.dashboard.conditions import MAX_VALUE, Conditions, conditions
from akto_proxy.dashboard.house import house

MOST = 200
Range = Literal["15m", "1h", "24h", "7d", "30d", "all"]
Id = Annotated[str, Field(max_length=100)]
Cursor = Annotated[str, Field(max_length=200)]
Limit = Annotated[int, Field(ge=1, le=MOST)]
Word = Annotated[str, Field(max_length=MAX_VALUE)]
Number = Annotated[int, Field(ge=0, le=1 << 31)]
Moment = Annotated[float, Field(ge=0, lt=1e11)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Filtering(_Strict):
    """A filter: `since` (or `from` and `to`), and what the addresses of the pages name."""

    since: Range = "24h"
    start: Moment | None = Field(None, alias="from")
    end: Moment | None = Field(None, alias="to")
    user: Word = ""
    key: Word = ""
    team: Word = ""
    agent: Word = ""
    ip: Word = ""
    session: Word = ""
    project: Word = ""
    endpoint: Word = ""
    route: Word = ""
    engine: Word = ""
    model: Word = ""
    outcome: Word = ""
    sensitivity: Word = ""
    rule: Word = ""
    category: Word = ""
    entity: Word = ""
    policy: Word = ""
    direction: Word = ""
    text: Word = ""
    verdict: str = Field("", pattern="^((allow|alert|redact|block),?)*$", max_length=40)
    severity: Literal["low", "medium", "high", "critical"] | None = None
    bypassed: Literal["yes", "no"] | None = None
    status: int | None = Field(None, ge=100, le=599)


class Listing(Filtering):
    """A filter and a page of its answer."""

    cursor: Cursor = ""
    limit: Limit = 50


class Counting(Filtering):
    """A filter and how many names at most."""

    limit: Limit = 50


Asked = Annotated[Filtering, Query()]
Listed = Annotated[Listing, Query()]
Counted = Annotated[Counting, Query()]


class Page(_Strict):
    """A page of a list."""

    cursor: Cursor = ""
    limit: Limit = 50


def asked_of(request: Request, query: Filtering, *, default: str = "24h") -> Conditions:
    """The filter of a query."""
    given = query.model_dump(exclude_none=True, exclude_unset=True, by_alias=True, exclude={"cursor", "limit"})
    return conditions({key: str(value) for key, value in given.items()}, house(request).clock(), default=default)


def plain(value: Any) -> Any:
    """Plain JSON values of our records."""
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: plain(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, IntEnum):
        return value.name.lower()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    return value


def answer(value: Any, status: int = 200) -> Response:
    """An answer of the API."""
    return JSONResponse(plain(value), status_code=status)


def document(app: FastAPI) -> dict[str, Any]:
    """The API as OpenAPI, with how to sign in."""
    made = app.openapi()
    made["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    made["security"] = [{"token": []}]
    return made
