from __future__ import annotations

from akto_proxy.wire.routes import ADMIN, PATTERNS, ROUTES

FORMS = {"openai", "tgi", "tei", "toolkit", "anthropic", "ollama", "generic"}


def test_no_route_is_both_open_and_administrative() -> None:
    assert not ADMIN & {path for table in ROUTES.values() for path in table}


def test_every_form_is_one_of_the_seven() -> None:
    rows = [row for table in ROUTES.values() for row in table.values()] + [row for _, _, row in PATTERNS]
    assert {row[1] for row in rows} <= FORMS


def test_names_are_few_enough_for_a_metric() -> None:
    assert len({row[0] for table in ROUTES.values() for row in table.values()}) < 60
