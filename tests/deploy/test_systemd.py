"""The systemd unit: verified and rated by systemd's own tools, installed into a folder by its own script."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from deploy.settings import DEPLOY, SETTINGS

FOLDER = DEPLOY / "systemd"
UNIT = FOLDER / "akto-proxy@.service"
MOST_EXPOSED = 2.0
"""Of systemd's 10; most services of a distribution are above 9."""

needs_systemd = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit with a program that is there, as `verify` wants to see it."""
    copy = tmp_path / "akto-proxy@.service"
    copy.write_text(UNIT.read_text().replace("/opt/akto-proxy/bin/akto-proxy", "/bin/true"))
    return copy


@needs_systemd
def test_systemd_finds_no_mistake(unit: Path):
    named = unit.with_name("akto-proxy@up.service")
    named.write_text(unit.read_text())
    run = subprocess.run(["systemd-analyze", "verify", "--man=no", str(named)], capture_output=True, text=True)
    ours = [line for line in run.stderr.splitlines() if "akto-proxy" in line]
    assert (run.returncode, ours) == (0, [])


@needs_systemd
def test_little_is_exposed(unit: Path):
    command = ["systemd-analyze", "security", "--offline=yes", "--no-pager", str(unit)]
    run = subprocess.run(command, capture_output=True, text=True)
    if "unrecognized option" in run.stderr:
        pytest.skip("this systemd cannot rate a unit that is not installed")
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", run.stdout)
    assert found, run.stderr
    assert float(found[1]) < MOST_EXPOSED


def test_the_variables_are_settings():
    text = UNIT.read_text() + (FOLDER / "example.env").read_text()
    assert set(re.findall(r"\b([A-Z][A-Z_]+)=", text)) <= SETTINGS


def test_a_stop_is_given_the_time_that_the_program_takes():
    seconds = re.search(r"^TimeoutStopSec=(\d+)$", UNIT.read_text(), re.MULTILINE)
    assert seconds
    assert int(seconds[1]) > 30 + 2 * 10 + 5  # drain, then shipper, server and demonstration


@pytest.mark.slow
def test_the_script_installs_program_and_unit(tmp_path: Path):
    environ = {**os.environ, "ROOT": str(tmp_path)}
    run = subprocess.run(["sh", str(FOLDER / "install.sh"), "up"], env=environ, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert (tmp_path / "etc/systemd/system/akto-proxy@.service").read_text() == UNIT.read_text()
    assert (tmp_path / "etc/akto-proxy/up.env").stat().st_mode & 0o077 == 0
    program = tmp_path / "opt/akto-proxy/bin/akto-proxy"
    version = subprocess.run([str(program), "version"], capture_output=True, text=True)
    assert version.returncode == 0


def test_the_script_refuses_a_form_that_is_none():
    run = subprocess.run(["sh", str(FOLDER / "install.sh"), "everything"], capture_output=True, text=True)
    assert run.returncode == 2
