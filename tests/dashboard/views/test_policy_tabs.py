"""Each tab of the pages about policies leads to a page that says it is the one."""

from __future__ import annotations

import re
from typing import Any

from akto_proxy.dashboard.views.policy_tabs import said, tabs
from akto_proxy.store.control import Version


def test_each_tab_leads_to_its_own_page(sign_in: Any) -> None:
    viewer = sign_in("viewer")
    for item in tabs("")["tabs"]:
        page = viewer.get(item["href"]).text
        assert re.findall(r'<a href="([^"]+)" aria-current="page">' + item["label"], page) == [item["href"]]


def test_a_change_is_in_force_or_waits() -> None:
    assert said(Version(1, "", "x", 0.0, state="proposed")) == "proposed"
    assert said(Version(1, "", "x", 0.0, state="active")) == "saved"
