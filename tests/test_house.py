"""The house keeps its own rules: tests mirror files, and nothing excuses itself."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "akto_proxy"
SMALL = 20
"""Lines up to which a module (a re-export, a main guard) needs no test file of its own."""


def modules() -> list[Path]:
    return sorted(
        path
        for path in SOURCE.rglob("*.py")
        if path.name != "__init__.py" and len(path.read_text("utf-8").splitlines()) > SMALL
    )


def behaves(path: Path) -> bool:
    """Whether a module does anything: one that only declares shapes (dataclasses, protocols) has nothing to test."""
    functions = [
        node
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    return any(
        not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
        for function in functions
        for statement in function.body
    )


EXCUSED = (ROOT / "tests" / "unmirrored.txt").read_text("utf-8").split()
"""Modules that are tested through others and have no test file of their own yet. The list may only shrink."""


def unmirrored() -> list[str]:
    return [
        str(path.relative_to(SOURCE))
        for path in modules()
        if behaves(path) and not (ROOT / "tests" / path.relative_to(SOURCE).parent / f"test_{path.name}").exists()
    ]


def test_every_module_has_its_test_file_or_a_listed_excuse():
    assert not sorted(set(unmirrored()) - set(EXCUSED))


def test_no_excuse_outlives_its_reason():
    assert not sorted(set(EXCUSED) - set(unmirrored()))


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_nothing_is_a_stub(path: Path):
    assert not re.search(r"\b(TODO|FIXME|XXX|NotImplementedError)\b", path.read_text("utf-8"))


def test_every_module_says_its_idea():
    silent = [path for path in SOURCE.rglob("*.py") if not ast.get_docstring(ast.parse(path.read_text("utf-8")))]
    assert not silent
