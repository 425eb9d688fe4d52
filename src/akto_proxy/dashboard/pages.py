"""Templates to answers: one Jinja environment, escaping always on, undefined names an error.

Templates get data, never markup: nothing in this package builds HTML in Python or marks text as safe (a test looks),
because the texts shown are attacks as often as not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from akto_proxy.dashboard import formats
from akto_proxy.dashboard.roles import Need
from akto_proxy.dashboard.statics import Statics
from akto_proxy.dashboard.web import from_htmx
from akto_proxy.dashboard.words import all_words

SAID = {
    "saved": ("good", "Saved."),
    "removed": ("good", "Removed."),
    "password": ("good", "Your password is changed. Other sessions were signed out."),
    "signed-out": ("good", "You are signed out."),
    "triaged": ("good", "The decisions were moved."),
    "exception": ("good", "The exception is in force as a new policy version."),
    "rolled-back": ("good", "The earlier version is in force again, as a new version."),
    "blocked": ("good", "The caller is blocked."),
    "unblocked": ("good", "The caller is no longer blocked."),
    "decided": ("good", "Decided. Proxies follow within a second or two."),
    "learning": ("good", "The kept traffic is being read; what it proposes appears here."),
    "proposed": ("good", "Kept as a proposal: it weakens a policy, so a second person must approve it."),
}
"""Short messages after a redirect, by a word in the address: text in an address is never shown."""


class Pages:
    """Renders templates."""

    def __init__(self, statics: Statics, clock: Callable[[], float], badge: Callable[[], int] = lambda: 0) -> None:
        env = Environment(
            loader=PackageLoader("akto_proxy.dashboard"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        env.filters.update(
            number=formats.number,
            amount=formats.amount,
            micros=formats.micros,
            span=formats.span,
            size=formats.size,
            percent=formats.percent,
            iso=formats.iso,
            utc=formats.utc,
            hms=formats.hms,
            day=formats.day,
            ago=formats.ago(clock),
            points=formats.points,
            browser=formats.browser,
            whom=formats.whom,
            times=formats.times,
            query=formats.query,
        )
        env.globals.update(asset=statics.url, words=all_words(), needs=Need)
        self._env = env
        self.statics = statics
        self._badge = badge

    def text(self, name: str, values: Mapping[str, Any]) -> str:
        """A template with values, as text."""
        return self._env.get_template(name).render(values)

    def answer(self, request: Request, name: str, values: Mapping[str, Any], *, status: int = 200) -> HTMLResponse:
        """A page, with what every page needs."""
        who = getattr(request.state, "me", None)
        theme = request.cookies.get("theme", "")
        said = SAID.get(request.query_params.get("said", ""))
        common: dict[str, Any] = {
            "me": who,
            "may": who.may if who else (lambda need: False),
            "theme": theme if theme in ("light", "dark") else "",
            "said": {"kind": said[0], "text": said[1]} if said else None,
            "section": "",
            "charts": False,
            "still": False,
            "open_incidents": self._badge() if who and not from_htmx(request) else 0,
            "title": "",
        }
        return HTMLResponse(self.text(name, {**common, **values}), status_code=status)
