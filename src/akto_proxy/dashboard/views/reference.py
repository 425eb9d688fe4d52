"""The JSON API's reference, drawn from its OpenAPI document by a template of ours: nothing is loaded from elsewhere."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from akto_proxy.dashboard.api.base import document
from akto_proxy.dashboard.house import house
from akto_proxy.dashboard.roles import Need
from akto_proxy.dashboard.web import Area

AREA = Area()


@AREA.get("/api", Need.READ)
def reference(request: Request) -> Response:
    """All routes of the JSON API."""
    described = document(request.app)
    rows: dict[str, list[dict[str, object]]] = {}
    for path, methods in described["paths"].items():
        for method, spec in methods.items():
            tag = (spec.get("tags") or ["other"])[0]
            names = [item["name"] for item in spec.get("parameters", [])]
            body = spec.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
            schema = described["components"]["schemas"].get(body.get("$ref", "").rpartition("/")[2], {})
            rows.setdefault(tag, []).append(
                {
                    "method": method.upper(),
                    "path": path,
                    "says": spec.get("description", ""),
                    "role": spec.get("x-needs-role", ""),
                    "takes": [*names, *schema.get("properties", {})],
                }
            )
    return house(request).pages.answer(request, "api.html", {"title": "JSON API", "section": "", "rows": rows})
