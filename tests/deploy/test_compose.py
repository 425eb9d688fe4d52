"""The compose file: by the specification's own schema, and by what it must and must not open."""

from __future__ import annotations

import json
import re
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from akto_proxy.config.settings import load
from deploy.settings import DEPLOY, SETTINGS

FOLDER = DEPLOY / "compose"
FILE = FOLDER / "compose.yaml"
ENDPOINT = "https://abc.us-east-1.aws.endpoints.huggingface.cloud"
OURS = ("proxy", "server")
DATABASES = ("clickhouse", "postgres", "redis")


def compose(environ: dict[str, str] | None = None) -> dict[str, Any]:
    """The file, with its variables filled in as compose would."""

    def fill(match: re.Match[str]) -> str:
        name, sign, rest = match[1], match[2] or "", match[3] or ""
        value = (environ or {}).get(name, "")
        if not value and sign == ":?":
            raise KeyError(f"{name}: {rest}")
        return value or (rest if sign == ":-" else "")

    text = FILE.read_text("utf-8")
    if environ is not None:
        text = re.sub(r"\$\{([A-Z_]+)(?:(:-|:\?)([^}]*))?\}", fill, text)
    return dict(yaml.safe_load(text))


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("compose")
    script = folder / "secrets.sh"
    script.write_text((FOLDER / "secrets.sh").read_text())
    run = subprocess.run(["sh", str(script), ENDPOINT], capture_output=True, text=True, timeout=30)
    assert run.returncode == 0, run.stderr
    assert (folder / ".env").stat().st_mode & 0o077 == 0
    again = subprocess.run(["sh", str(script), ENDPOINT], capture_output=True, text=True, timeout=30)
    assert again.returncode == 1  # new passwords would lock the databases out
    lines = (folder / ".env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines)


def test_it_keeps_to_the_specifications_schema():
    spec = find_spec("check_jsonschema")
    if spec is None or spec.origin is None:
        pytest.skip("check-jsonschema, which carries the schema, is not installed: pip install -e '.[deploy]'")
    found = sorted((Path(spec.origin).parent / "builtin_schemas" / "vendor").glob("compose-spec*.json"))
    jsonschema.validate(compose(), json.loads(found[0].read_text("utf-8")))


def test_the_secrets_that_the_script_writes_are_those_the_file_asks_for(secrets: dict[str, str]):
    asked = set(re.findall(r"\$\{([A-Z_]+):\?", FILE.read_text("utf-8")))
    assert asked == set(secrets)
    assert len(set(secrets.values())) == len(secrets)


@pytest.mark.parametrize("missing", ["APP_URL", "DEPLOYMENT_KEY", "REDIS_PASSWORD"])
def test_without_a_secret_it_does_not_start(secrets: dict[str, str], missing: str):
    with pytest.raises(KeyError, match=missing):
        compose({name: value for name, value in secrets.items() if name != missing})


@pytest.mark.parametrize("part", OURS)
def test_the_settings_are_ones_that_the_program_takes(secrets: dict[str, str], part: str):
    environ = {name: str(value) for name, value in compose(secrets)["services"][part]["environment"].items()}
    assert set(environ) <= SETTINGS
    settings = load(environ)
    assert len(settings.master_key) == 32
    if part == "proxy":
        assert (settings.app_url, settings.ingest_form) == (ENDPOINT, "collector")
        assert settings.limits_url.startswith("redis://:")
    else:
        assert settings.control_url.startswith("postgresql+psycopg://akto:")
        assert settings.store_url.startswith("clickhouse://akto:")


@pytest.mark.parametrize("part", OURS)
def test_our_parts_may_do_little(part: str):
    service = compose()["services"][part]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert all(port.startswith("${BIND:-127.0.0.1}:") for port in service["ports"])


@pytest.mark.parametrize("part", DATABASES)
def test_no_database_is_published_or_has_a_way_out(part: str):
    whole = compose()
    assert "ports" not in whole["services"][part]
    assert whole["services"][part]["networks"] == ["back"]
    assert whole["networks"]["back"]["internal"] is True


def test_what_a_part_waits_for_has_a_health_check():
    services = compose()["services"]
    for service in services.values():
        for name, wanted in service.get("depends_on", {}).items():
            assert wanted["condition"] == "service_healthy"
            assert "healthcheck" in services[name], name


def test_volumes_and_networks_are_declared():
    whole = compose()
    used = {volume.split(":")[0] for service in whole["services"].values() for volume in service.get("volumes", [])}
    assert used == set(whole["volumes"])
