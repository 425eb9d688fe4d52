"""Gates and redirects: default is closed, and no address leads elsewhere."""

from __future__ import annotations

import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from starlette.routing import Mount

from akto_proxy.dashboard.roles import Need, Role
from akto_proxy.dashboard.web import Area, BadInputError, Me, back_to, cursors, need_of, unguarded


@given(st.text(max_size=60))
def test_one_is_never_sent_elsewhere(text: str) -> None:
    for path in (text, "/" + text, "//" + text, "/\\" + text):
        good = back_to(path)
        assert good.startswith("/")
        assert not good.startswith(("//", "/\\"))
        assert good.isprintable()


def test_a_route_is_found_with_its_need_and_one_without_is_an_alarm() -> None:
    app, area = FastAPI(), Area()
    area.get("/read", Need.READ)(lambda: None)
    area.post("/open", None)(lambda: None)
    area.join(app)
    found = {route.path: need_of(route) for route in app.routes if hasattr(route, "dependencies")}
    assert found["/read"] == (True, Need.READ)
    assert found["/open"] == (True, None)
    app.router.routes.append(Mount("/static/more", app=FastAPI()))
    assert "/static/more" in unguarded(app)


@pytest.mark.parametrize("need", list(Need))
def test_a_role_may_what_those_before_it_may(need: Need) -> None:
    able = [Me("x", role).may(need) for role in Role]
    assert able == sorted(able)
    assert able[-1]


def test_a_cursor_that_is_none_is_the_askers_mistake() -> None:
    for error in (ValueError, OverflowError):
        with pytest.raises(BadInputError), cursors():
            raise error
