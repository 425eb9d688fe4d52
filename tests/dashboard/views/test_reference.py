"""The page about the API names every route of it, with the role it needs."""

from __future__ import annotations

from typing import Any


def test_every_route_stands_there(sign_in: Any) -> None:
    viewer = sign_in("viewer")
    page = viewer.get("/api").text
    document = viewer.get("/api/v1/openapi.json").json()
    assert len(document["paths"]) > 40
    for path, methods in document["paths"].items():
        for method, spec in methods.items():
            assert f'<span class="strong">{method.upper()}</span> {path}<' in page
            assert spec["description"].split(".")[0] in page.replace("&#39;", "'")
            assert spec["x-needs-role"] in ("viewer", "analyst", "editor", "admin")
    assert document["security"] == [{"token": []}]
