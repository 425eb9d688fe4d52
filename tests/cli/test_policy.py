from __future__ import annotations

import json

import orjson
import pytest
import yaml
from typer.testing import CliRunner

from akto_proxy.cli import policy
from akto_proxy.errors import AktoProxyError, ConfigError
from akto_proxy.model import Action, Caller, Decision, Direction, Severity, Trace

GOOD = r"""
version: 1
policies:
  - name: badges
    action: redact
    scope: {callers: {users: [ann]}}
    rules:
      - {id: badge, regex: 'badge \d{4}', match: [badge 1234], no_match: [badge]}
cases:
  - {name: found, input: my badge 1234, expect: redact, spans: [badge 1234]}
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run the command line in an empty place; errors of ours come out as they are."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))

    def go(*arguments: str, stdin: str | None = None):
        result = CliRunner().invoke(policy.app, list(arguments), input=stdin)
        if isinstance(result.exception, AktoProxyError):
            raise result.exception
        return result

    return go


@pytest.fixture
def good(tmp_path):
    (tmp_path / "good.yaml").write_text(GOOD)
    return "good.yaml"


def test_packs_are_listed_and_shown(run):
    assert "pci-dss" in run("list").output
    assert "huggingface-token" in run("list", "--names").output.splitlines()
    assert yaml.safe_load(run("show", "pci-dss").output)["name"] == "pci-dss"
    assert json.loads(run("show", "--schema").output)["title"]


def test_a_good_file_is_valid_and_its_cases_pass(run, good, tmp_path):
    assert run("validate", good).output.startswith("ok: policies 1, rules 1, patterns 1, version ")
    result = run("test", good, "--junit", "out.xml")
    assert (result.exit_code, result.output) == (0, "1 of 1 cases passed\n")
    assert 'tests="1" failures="0"' in (tmp_path / "out.xml").read_text()


def test_a_miss_is_told_and_exits_with_1(run, tmp_path):
    (tmp_path / "bad.yaml").write_text(GOOD.replace("expect: redact", "expect: block"))
    result = run("test", "bad.yaml")
    assert result.exit_code == 1
    assert "FAIL bad.yaml: found: expected block, got redact" in result.output


@pytest.mark.parametrize("name", ["nothing", "nothing.yaml", "-x/y"])
def test_what_is_not_there_is_told(run, name):
    with pytest.raises(ConfigError, match=r"no such file or pack|cannot be read"):
        run("validate", "--", name)


def test_explain_says_who_it_applies_to(run, good):
    assert "badges: does not apply (callers.users is not ann)" in run("explain", "--policy", good).output
    told = run("explain", "--policy", good, "--user", "ann").output
    assert "badges: applies (callers.users is ann)" in told
    assert "badge  regex: redact (label)" in told


def test_diff_exits_with_1_where_something_becomes_weaker(run, good, tmp_path):
    (tmp_path / "weak.yaml").write_text(GOOD.replace("action: redact", "action: alert"))
    result = run("diff", good, "weak.yaml")
    assert (result.exit_code, result.output) == (1, "WEAKER badges action: redact -> alert\n")
    assert run("diff", "weak.yaml", good).exit_code == 0
    assert run("diff", good, good).output == "no difference\n"


def test_replay_reads_an_export(run, good, tmp_path):
    decision = Decision("p", "custom:badges:0", "custom", "CUSTOM", Severity.LOW, Action.REDACT, Direction.REQUEST)
    trace = Trace(
        id="a" * 32, started=0.0, endpoint="", method="POST", path="/v1/chat/completions", route="openai.chat",
        engine="", status=200, outcome="ok", caller=Caller(user="ann"), decisions=(decision,),
    )  # fmt: skip
    (tmp_path / "traces.jsonl").write_bytes(orjson.dumps(trace) + b"\n")
    (tmp_path / "new.yaml").write_text(GOOD.replace("action: redact", "action: block"))
    told = run("replay", "new.yaml", "--old", good, "--traces", "traces.jsonl").output
    assert "1 newly block" in told
    assert "redact -> block: 1" in told
    assert "ann 1" in told
    assert "a" * 32 in told


def test_replay_of_a_time_without_calls_says_so(run, good, tmp_path):
    (tmp_path / "traces.jsonl").write_text("")
    told = run("replay", good, "--old", good, "--traces", "traces.jsonl").output
    assert told.startswith("No call is kept of that time")


def test_replay_refuses_what_is_no_trace_and_no_time(run, good, tmp_path):
    (tmp_path / "traces.jsonl").write_text("{}\n")
    with pytest.raises(ConfigError, match="line 1: not a trace"):
        run("replay", good, "--old", good, "--traces", "traces.jsonl")
    with pytest.raises(ConfigError, match="--since"):
        run("replay", good, "--old", good, "--since", "yesterday")


def test_an_akto_answer_becomes_a_file(run):
    pulled = {
        "guardrailPolicies": [{"name": "A", "secretsDetection": {"enabled": True}, "llmRule": {"userPrompt": "x"}}]
    }
    result = run("import-akto", "-", stdin=json.dumps(pulled))
    assert yaml.safe_load(result.stdout)["policies"][0]["name"] == "akto-a"
    assert "not mapped: akto-a: llmRule" in result.stderr
