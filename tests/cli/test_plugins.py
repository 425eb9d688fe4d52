"""Detectors of installed packages: a real package with an entry point, in a folder of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

from akto_proxy.cli import build, plugins
from akto_proxy.config.settings import load
from akto_proxy.errors import ConfigError, PolicyError
from akto_proxy.model import Action, Direction, Segment
from akto_proxy.policy.schema import parse_policies

GUEST = """
from akto_proxy.model import Finding

class Guest:
    name = NAME
    category = "guest"
    rules = frozenset({"guest-word"})

    def check(self, segments):
        if any("crash" in segment.text for segment in segments):
            raise RuntimeError("a bug of the guest")
        hits = ((number, segment.text.find("xyzzy")) for number, segment in enumerate(segments))
        return [(n, Finding(at, at + 5, "guest-word", "GUEST_WORD", "guest", 0.9)) for n, at in hits if at >= 0]
"""
POLICY = "version: 1\npolicies:\n  - {name: p, on_error: ON_ERROR, rules: [{detect: guest-word, action: block}]}\n"


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    def made(module: str, source: str) -> None:
        (tmp_path / f"{module}.py").write_text(source)
        info = tmp_path / f"{module}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[{plugins.GROUP}]\nguest = {module}:Guest\n")
        monkeypatch.syspath_prepend(tmp_path)
        plugins.installed.cache_clear()

    yield made
    plugins.installed.cache_clear()


def judged(folder: Path, text: str, on_error: str = "block") -> Any:
    guard = build.guard(load({"DATA_DIR": str(folder)}), parse_policies(POLICY.replace("ON_ERROR", on_error), "p.yaml"))
    plan = guard.policies.everything()
    segments = [Segment(text, "/x")]
    return plan.judge(segments, guard.scanner.scan(segments, plan.enabled(Direction.REQUEST)))


def test_a_policy_names_what_an_installed_detector_reports(install: Callable[..., None], tmp_path: Path):
    install("guest_of_a_test", GUEST.replace("NAME", '"guest"'))
    assert judged(tmp_path, "say xyzzy").action is Action.BLOCK
    assert judged(tmp_path, "say it").action is Action.ALLOW
    for on_error, action in (("block", Action.BLOCK), ("allow", Action.ALLOW)):
        failed = judged(tmp_path, "crash", on_error)
        assert failed.action is action
        assert failed.decisions[0].entity == "CHECK_FAILED"


def test_without_the_package_its_name_is_unknown(tmp_path: Path):
    with pytest.raises(PolicyError, match="`guest-word` names no rule"):
        judged(tmp_path, "x")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("raise ImportError('secret')", "cannot be loaded"),
        (GUEST.replace("NAME", '"Not A Slug"'), "needs a `name`"),
        (GUEST.replace("NAME", '"harm"'), "there already"),
        ("class Guest:\n    name = category = 'guest'", "has no method `check`"),
    ],
)
def test_what_is_no_detector_refuses_the_start_and_names_its_package(install: Callable[..., None], source, said):
    module = f"guest_{abs(hash(source))}"
    install(module, source)
    with pytest.raises(ConfigError, match=said) as told:
        plugins.loaded(entry_points(group=plugins.GROUP))
    assert module in str(told.value)
    assert "secret" not in str(told.value)


def test_a_detector_that_policies_ask_for_and_nobody_made_fails_by_their_fail_mode(tmp_path: Path):
    compiled = build.policy_set(parse_policies(POLICY.replace("guest-word", "harm").replace("ON_ERROR", "block"), "p"))
    (absent,) = build.complete(compiled, [])
    assert (absent.name, absent.category) == ("harm", "harm")
    assert build.complete(compiled, build.detectors(compiled.detectors))[0].name == "harm"
    assert len(build.complete(compiled, build.detectors(compiled.detectors))) == 1
