"""What the pages about policies share: their tabs, and what is said after a change."""

from __future__ import annotations

from typing import Any

from akto_proxy.store.control import Version

TABS = (("list", "In force", "/policies"), ("packs", "Packs", "/policies/packs"), ("edit", "Editor", "/policies/edit"))
MORE = (("play", "Playground", "/policies/playground"), ("replay", "Replay", "/policies/replay"))
LAST = (("history", "History", "/policies/history"),)


def tabs(current: str) -> dict[str, Any]:
    """What every page about policies needs: the tabs, and which of them it is."""
    items = [{"key": key, "label": label, "href": href} for key, label, href in (*TABS, *MORE, *LAST)]
    return {"tabs": items, "tab": current, "section": "policies"}


def said(version: Version) -> str:
    """The word of what became of a change: in force, or kept until a second person agrees."""
    return "proposed" if version.state == "proposed" else "saved"
