"""What the tests of deploy/ share: the names of settings that the program reads."""

from __future__ import annotations

from pathlib import Path

from akto_proxy.config.settings import CONFIG_VARIABLE, Settings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
SETTINGS = {name.upper() for name in Settings.model_fields} | {CONFIG_VARIABLE}
