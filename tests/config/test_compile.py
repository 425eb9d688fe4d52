from __future__ import annotations

import importlib
import time

import pytest

from akto_proxy.config.compile import compile_killable
from akto_proxy.errors import PolicyError
from akto_proxy.guard.engine import Engine, compile_alone, compile_database
from akto_proxy.guard.rule import Rule

COMPILERS = """
import os, time
from dataclasses import dataclass
from akto_proxy.errors import PolicyError

@dataclass(frozen=True)
class Named:
    id: str

def slow(rules):
    if [rule.id for rule in rules] == ["evil"]:
        while True:
            pass
    return b""

def waiting(rules):
    time.sleep(6)  # as long as a machine that has no time for it
    return b"made"

def dying(rules):
    os._exit(9)

def refusing(rules):
    raise PolicyError("rule `x`: no")

def hungry(rules):
    return bytes(1 << 40)

def broken(rules):
    raise KeyError("a rule's text")
"""


@pytest.fixture
def compilers(tmp_path, monkeypatch):
    """A module that the child process can import too."""
    (tmp_path / "compilers_of_a_test.py").write_text(COMPILERS)
    monkeypatch.syspath_prepend(tmp_path)
    return importlib.import_module("compilers_of_a_test")


def test_the_real_compiler_gives_a_database_that_an_engine_takes():
    rules = [Rule("custom:p:0", "CUSTOM", "custom", r"badge \d{4}")]
    engine = Engine(rules, database=compile_killable(compile_database, rules, rules))
    assert [(hit.start, hit.end) for hit in engine.scan("my badge 1234")] == [(3, 13)]


def test_many_rules_of_an_operator_are_tried_at_little_cost_each():
    rules = [Rule(f"custom:p:{n}", "CUSTOM", "custom", rf"\bref{n}q-\d{{4,8}}[a-z]{{2}}\b") for n in range(120)]
    kept = compile_killable(compile_database, rules, rules, alone=compile_alone, deadline=8)
    assert [hit.rule for hit in Engine(rules, database=kept).scan("see ref77q-12345ab")] == ["custom:p:77"]


def test_a_rule_that_takes_too_long_is_killed_and_named(compilers):
    started = time.monotonic()
    rules = [compilers.Named("good"), compilers.Named("evil")]
    with pytest.raises(PolicyError, match="rule `evil` takes longer than 4 s"):
        compile_killable(compilers.slow, rules, rules, deadline=4)
    assert time.monotonic() - started < 30


def test_a_busy_machine_makes_it_slow_and_not_fail(compilers):
    assert compile_killable(compilers.waiting, [compilers.Named("a")], deadline=5) == b"made"


def test_by_the_clock_it_ends_too(compilers, monkeypatch):
    monkeypatch.setattr("akto_proxy.config.compile.PATIENCE", 0.5)
    with pytest.raises(PolicyError, match="the rules together take longer than 5 s"):
        compile_killable(compilers.waiting, [compilers.Named("a")], deadline=5)


def test_a_child_that_dies_and_one_that_refuses_are_told_apart(compilers):
    with pytest.raises(PolicyError, match="the rules together take more memory"):
        compile_killable(compilers.dying, [compilers.Named("a")])
    with pytest.raises(PolicyError, match="rule `x`: no"):
        compile_killable(compilers.refusing, [compilers.Named("a")])
    with pytest.raises(PolicyError, match="the rules together take more memory"):
        compile_killable(compilers.hungry, [compilers.Named("a")])
    with pytest.raises(PolicyError, match=r"by a fault of the program \(KeyError\): report it"):
        compile_killable(compilers.broken, [compilers.Named("a")])
