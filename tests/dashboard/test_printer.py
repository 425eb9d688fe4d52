"""A page becomes a PDF in a real Chromium, and what goes wrong is a sentence."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from akto_proxy.dashboard.printer import Printer, PrinterError

CHROMIUM = shutil.which("chromium")


@pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium: apt-get install chromium")
def test_a_page_is_printed_and_nothing_stays_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    made = Printer(CHROMIUM, sandbox=os.geteuid() != 0).pdf("<h1>Report</h1>", "h1 { color: red }")
    assert made.startswith(b"%PDF-")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("program", "word"), [("/nowhere/chromium", "FileNotFoundError"), ("/bin/false", "CalledProcess")]
)
def test_a_browser_that_fails_is_told_in_a_sentence(program: str, word: str) -> None:
    with pytest.raises(PrinterError, match=rf"{word}.*Print the page from your browser"):
        Printer(program).pdf("<p>", "")


def test_a_browser_that_hangs_is_stopped(tmp_path: Path) -> None:
    program = tmp_path / "slow"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o700)
    with pytest.raises(PrinterError, match="TimeoutExpired"):
        Printer(str(program), seconds=0.3).pdf("<p>", "")
