import subprocess
import sys

import pytest

from akto_proxy.cli.main import run_command


@pytest.mark.parametrize(
    ("arguments", "code"), [(["version"], 0), (["--help"], 0), (["scan", "/nowhere/x"], 2), (["nonsense"], 2)]
)
def test_exit_codes_are_those_that_are_documented(arguments: list[str], code: int, capsys: pytest.CaptureFixture[str]):
    assert run_command(arguments) == code
    assert "Traceback" not in "".join(capsys.readouterr())


def test_a_mistake_is_one_sentence_with_the_fix(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AKTO_PROXY_PORT", "many")
    assert run_command(["scan", "-"]) == 2
    said = capsys.readouterr().err
    assert "AKTO_PROXY_PORT" in said
    assert "docs/settings.md" in said


@pytest.mark.parametrize(
    "command",
    ["up", "proxy", "server", "scan", "traces", "policy", "spool", "audit", "doctor", "export", "delete", "watch"],
)
def test_every_command_teaches(command: str, capsys: pytest.CaptureFixture[str]):
    assert run_command([command, "--help"]) == 0
    assert len(capsys.readouterr().out) > 200


def test_the_data_plane_needs_nothing_that_only_the_server_needs():
    """`pip install akto-agent-proxy` alone runs `proxy`, and no worker carries the server's libraries."""
    code = """
import sys
from importlib import metadata, util

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in SERVER:
            raise ModuleNotFoundError(name)

SERVER = {"alembic", "apprise", "argon2", "authlib", "clickhouse_connect", "fastapi", "itsdangerous", "jinja2",
          "joserfc", "prometheus_client", "psycopg", "sqlalchemy", "starlette", "uvicorn"}
sys.meta_path.insert(0, Absent())
import akto_proxy.cli.main, akto_proxy.cli.worker, akto_proxy.cli.ship
from akto_proxy.cli import build, worker
from akto_proxy.config.settings import load
worker.proxy_options(load({"APP_URL": "http://127.0.0.1:1"}))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
