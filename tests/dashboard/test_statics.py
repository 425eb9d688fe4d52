"""Files for the browser: under names that carry their hash, small over the wire, kept for a year."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import brotli
import pytest

from akto_proxy.dashboard.statics import Statics
from akto_proxy.errors import ConfigError


def test_a_file_is_served_by_its_hash_alone(stranger: Any) -> None:
    statics = Statics()
    url = statics.url("app.css")
    answer = stranger.get(url, headers={"accept-encoding": "identity"})
    assert answer.text == statics.text("app.css")
    assert "immutable" in answer.headers["cache-control"]
    for path in ("/static/app.css", url.replace("css", "js"), "/static/../app.py", "/static/%2e%2e/app.py"):
        assert stranger.get(path).status_code == 404
    assert stranger.post(url).status_code == 404


def test_all_that_a_page_loads_is_small() -> None:
    statics = Statics()
    names = ("app.css", "app.js", "vendor/htmx.min.js", "vendor/uplot.min.js", "vendor/uplot.min.css")
    files = [statics.text(name).encode() for name in names]
    assert sum(len(brotli.compress(data)) for data in files) < 60_000
    assert sum(map(len, files)) < 150_000


def test_files_that_are_missing_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"vendor/htmx.min.js.*hatch_build"):
        Statics(tmp_path)
