"""The README's tour, run as printed: every command, in order, against a fresh start."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

README = (Path(__file__).parents[1] / "README.md").read_text("utf-8")
TOUR = README.partition("<!-- tour:")[2].partition("<!-- end of tour -->")[0]
COMMANDS = re.findall(r"^```\n(.*?)^```", TOUR, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def said(start_product: Callable[..., object]) -> list[str]:
    product = start_product("up", TOUR="false")
    answers = []
    for command in COMMANDS:
        answers.append(answer(product, command))
        for _ in range(60):  # traces travel: spool, shipper, collector, store; on a busy machine that takes a while
            if "traces" not in command or "block" in answers[-1]:
                break
            time.sleep(1)
            answers[-1] = answer(product, command)
    return answers


def answer(product: Any, command: str) -> str:
    here = command.replace("http://127.0.0.1:8080", product.proxy)
    run = subprocess.run(["bash", "-c", here], env=product.environ, capture_output=True, text=True, timeout=60)
    return run.stdout + run.stderr


def test_the_tour_has_five_steps():
    assert len(COMMANDS) == 5


def test_a_secret_in_a_prompt_never_reaches_the_model(said: list[str]):
    assert "AKIA" not in said[0]
    assert "SECRET" in said[0]


def test_personal_data_in_a_streamed_answer_is_redacted(said: list[str]):
    text = "".join(re.findall(r'"content": ?"(.*?)"', said[1]))
    assert "EMAIL_ADDRESS" in text
    assert "@" not in text
    assert said[1].rstrip().endswith("data: [DONE]")


def test_an_attack_is_refused(said: list[str]):
    assert '"content_filter"' in said[2]


def test_the_traces_are_listed(said: list[str]):
    for word in ("redact", "block", "aws-access-key-id"):
        assert word in said[3]


def test_scan_tells_where_and_not_what(said: list[str]):
    assert "EMAIL_ADDRESS" in said[4]
    assert "CREDIT_CARD" in said[4]
    assert "jane.roe" not in said[4]
    assert "4539" not in said[4]
