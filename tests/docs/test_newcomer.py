"""The newcomer's path as the script walks it: clone, install, start, doctor, validate, each step timed."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "newcomer.sh"
GUIDE = (ROOT / "docs" / "guides" / "private-endpoint.md").read_text("utf-8")
WITHIN_AN_HOUR = 3600.0


def steps() -> list[str]:
    return list(re.findall(r'^step "([^"(]+)"$', SCRIPT.read_text(), re.MULTILINE))


def test_the_guide_quotes_each_step_of_the_script():
    for step in steps():
        assert f"| {step} |" in GUIDE, step


@pytest.mark.slow
def test_the_path_ends_well_within_an_hour():
    if not all(shutil.which(tool) for tool in ("git", "curl", "awk")):
        pytest.skip("needs git, curl and awk")
    run = subprocess.run([str(SCRIPT)], capture_output=True, text=True, timeout=1800)
    assert run.returncode == 0, run.stderr[-3000:]
    times = re.findall(r"^(.*?)\s+[\d.]+ s  \(\s*([\d.]+) s\)$", run.stdout, re.MULTILINE)
    assert [name for name, _ in times if not name.startswith("(")] == steps()
    assert float(times[-1][1]) < WITHIN_AN_HOUR
