"""Files and values that attack their reader: YAML, custom patterns, tokens; and code that would run what it reads."""

from __future__ import annotations

import ast
import time
from pathlib import Path

import httpx
import pytest

from akto_proxy.config.settings import load
from akto_proxy.errors import ConfigError, PolicyError
from akto_proxy.policy.schema import parse_policies

SOURCE = Path(__file__).parents[2] / "src" / "akto_proxy"
RULE = "version: 1\nname: x\npolicies:\n  - {name: p, severity: high, action: block, rules: [{id: r, regex: '%s'}]}\n"
LAUGHS = "a: &a [x, x]\n" + "".join(f"{c}: &{c} [*{b}, *{b}]\n" for b, c in zip("abcdefgh", "bcdefghi", strict=True))
YAML = {
    "an object of Python": "!!python/object/apply:os.system ['id']",
    "a name of Python": "x: !!python/name:os.system",
    "a billion laughs": LAUGHS,
    "a list in itself": "&a [*a]",
    "a merge with itself": "a: &a {<<: *a}",
    "an alias alone": "*v",
    "an unknown tag": "!evil x",
    "2,000 levels": "[" * 2000,
    "a NUL": "a: \0",
    "a number of 5,000 digits": "version: " + "9" * 5000,
    "a list as a key": "? [a, b]\n: 1\n",
    "a key twice": "version: 1\nversion: 2\n",
    "no date": "version: 2001-99-99",
    "a path as a name": RULE.replace("name: p", "name: ../../etc/passwd") % "abc",
    "catastrophic backtracking": RULE % r"(a)\1",
    "a billion repetitions": RULE % "((a{1000}){1000}){1000}",
    "a pattern that matches nothing": RULE % "a*",
    "2 MB": "a: " + "x" * (2 << 20),
}


@pytest.mark.parametrize("name", YAML)
def test_a_policy_file_that_attacks_is_refused_in_words(name: str) -> None:
    began = time.process_time()
    with pytest.raises(PolicyError) as caught:
        parse_policies(YAML[name], "evil.yaml")
    assert time.process_time() - began < 10
    assert "evil.yaml" in str(caught.value)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    "name", ["an object of Python", "a name of Python", "an unknown tag", "a list as a key", "a NUL"]
)
def test_a_settings_file_that_attacks_is_refused_in_words(name: str, tmp_path: Path) -> None:
    file = tmp_path / "evil.yaml"
    file.write_text(YAML[name], "utf-8")
    with pytest.raises(ConfigError):
        load({}, str(file))


FORBIDDEN = {"eval", "exec", "compile", "__import__"}
# `light` writes an `__init__` from the field names of our own classes, as `dataclasses` does: nothing read from outside
# reaches it, which the second test holds it to.
WRITES_CODE = {"light.py": {"exec"}}
MODULES = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "telnetlib", "xmlrpc"}


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: str(path.relative_to(SOURCE)))
def test_nothing_runs_what_it_reads(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            allowed = WRITES_CODE.get(str(path.relative_to(SOURCE)), set())
            assert node.func.id not in FORBIDDEN - allowed, node.lineno
        if isinstance(node, ast.Call) and any(keyword.arg == "shell" for keyword in node.keywords):
            raise AssertionError(f"a shell at line {node.lineno}")
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
            assert not {name.split(".")[0] for name in names} & MODULES, node.lineno
        if isinstance(node, ast.Attribute) and node.attr in ("allow_pickle", "unsafe_load", "full_load"):
            raise AssertionError(f"an unsafe loader at line {node.lineno}")


def test_what_writes_code_reads_nothing() -> None:
    for name in WRITES_CODE:
        tree = ast.parse((SOURCE / name).read_text("utf-8"))
        reached = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert reached <= {"__future__", "dataclasses", "typing"}, name
        assert not [node for node in ast.walk(tree) if isinstance(node, ast.Import)], name
        assert not [node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id in ("open", "input")], (
            name
        )


def test_addresses_inside_addresses_are_not_public() -> None:
    from akto_proxy.proxy.external import public as checked
    from akto_proxy.watch.notify.connect import public as told

    inner = ("127.0.0.1", "10.0.0.1", "169.254.169.254", "0.0.0.0", "100.64.0.1", "::1", "fd00::1", "fe80::1%eth0")
    wrapped = ("::ffff:127.0.0.1", "::ffff:169.254.169.254", "2002:7f00:1::", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe")
    for public in (checked, told):
        assert not [address for address in (*inner, *wrapped, "224.0.0.1", "ff02::1") if public(address)]
        assert public("93.184.216.34")
        assert public("2606:2800:220:1:248:1893:25c8:1946")


def test_settings_hold_no_url_with_a_password() -> None:
    for name in ("APP_URL", "AKTO_API_BASE_URL"):
        with pytest.raises(ConfigError) as caught:
            load({name: "https://user:hunter2@host"}, None)
        assert "hunter2" not in str(caught.value)


def test_httpx_follows_no_redirect_by_itself() -> None:
    assert httpx.Client().follow_redirects is False
