"""The settings examples in the pages are settings that the program takes."""

import re
from pathlib import Path

import pytest
import yaml

from akto_proxy.cli.watching import alert_config
from akto_proxy.config.settings import load
from akto_proxy.limits.schema import parse_limits
from akto_proxy.watch.notify.schema import parse_channels

DOCS = Path(__file__).parents[2] / "docs"


def example(page: str, tmp_path: Path) -> str:
    text = "\n".join(re.findall(r"^```yaml\n(.*?)^```", (DOCS / page).read_text("utf-8"), re.DOTALL | re.MULTILINE))
    assert yaml.safe_load(text)
    file = tmp_path / "settings.yaml"
    file.write_text(text)
    return str(file)


def test_the_limits_page(tmp_path: Path):
    assert len(parse_limits(load({}, example("limits.md", tmp_path)).limits)) == 3


def test_the_watch_page(tmp_path: Path):
    settings = load({}, example("watch.md", tmp_path))
    assert alert_config(settings).rules[0].name == "attack"
    assert parse_channels(settings.notify, {})[0].name == "ops"


@pytest.mark.parametrize("do", ["block", "raise", "enforce"])
def test_every_response_is_taken(tmp_path: Path, do: str):
    rule = {"name": "x", "when": "action == 'block'", "respond": {"do": do, "policy": "p"}}
    file = tmp_path / "settings.yaml"
    file.write_text(yaml.safe_dump({"alerts": {"rules": [rule]}}))
    assert alert_config(load({}, str(file))).rules[0].respond.do == do
