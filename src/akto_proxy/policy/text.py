"""A policy file's text to plain data, and what is wrong with it in sentences that never echo a value.

YAML's traps are closed: no anchors (a short file could grow without end), no key twice (the reader and the person
would disagree on which wins), no tags. The price: a word list shared by two rules is written twice.
"""

from __future__ import annotations

import difflib
from collections.abc import Hashable
from typing import Any

import yaml
from pydantic import ValidationError

from akto_proxy.errors import PolicyError
from akto_proxy.policy.terms import MAX_TEXT

MAX_SHOWN = 5  # problems told at once
NEAR = 0.75  # likeness (difflib's ratio) from which a known key is offered: at 0.6, its default, `foo` offers `roles`


class _Loader(yaml.SafeLoader):
    """Plain YAML only."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            where = parent.start_mark if parent is not None else None
            raise yaml.constructor.ConstructorError(None, None, "anchors are not supported", where)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key {key.value[:40]!r} twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def load(text: str, name: str) -> dict[str, Any]:
    """The mapping written in `text`; `name` is the file's name for errors.

    Raises:
        PolicyError: not YAML, not a mapping, too large.
    """
    if len(text) > MAX_TEXT:
        raise PolicyError(f"{name}: larger than {MAX_TEXT} characters: split it into several files")
    try:
        data = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader, made stricter
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        hint = ": put patterns in single quotes" if "escape" in str(error.problem) else ""
        raise PolicyError(f"{name}, line {line}: not valid YAML: {error.problem}{hint}") from None
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise PolicyError(f"{name}: not valid YAML ({type(error).__name__})") from None
    if not isinstance(data, dict):
        raise PolicyError(f"{name}: expected a mapping with `version: 1` and `policies`, got {_kind(data)}")
    return data


def explain(error: ValidationError, name: str, tags: frozenset[str], fields: frozenset[str]) -> str:
    """The first problems of a refused file: file, key, what was expected, what type came. Never a value.

    `tags` are path parts that pydantic adds and no file holds, `fields` the known keys, for "did you mean".
    """
    problems = [item for item in error.errors(include_url=False, include_context=False) if not _echo(item)]
    lines = [f"{name}: {_one(problem, tags, fields)}" for problem in problems[:MAX_SHOWN]]
    if len(problems) > MAX_SHOWN:
        lines.append(f"{name}: and {len(problems) - MAX_SHOWN} more")
    return "\n".join(lines)


def _echo(problem: Any) -> bool:
    """Pydantic counts a list's good items, so each list whose items are all wrong is called too short besides."""
    return problem["type"] == "too_short" and bool(problem["input"])


def _one(problem: Any, tags: frozenset[str], fields: frozenset[str]) -> str:
    where, given = path(problem["loc"], tags), problem["input"]
    if problem["type"] == "extra_forbidden":
        key = str(problem["loc"][-1])[:40]
        if key in fields:
            return f"{where}: no such key here, it belongs elsewhere: see docs/policies.md"
        near = difflib.get_close_matches(key, fields, 1, NEAR)
        return f"{where}: no such key" + (f": did you mean `{near[0]}`?" if near else "")
    if problem["type"] == "missing":
        return f"{where}: missing"
    if problem["type"] == "rule_kind":
        keys = [str(key) for key in given] if isinstance(given, dict) else []
        near = [one for key in keys for one in difflib.get_close_matches(key, tags, 1, NEAR)]
        return f"{where}: {problem['msg']}" + (f": did you mean `{near[0]}`?" if near else "")
    if problem["type"] == "string_pattern_mismatch" and "a-z0-9-" in problem["msg"]:
        return f"{where}: expected lower-case letters, digits and dashes, such as `support-desk`"
    if problem["type"] == "too_short" and not given:
        return f"{where}: expected one at least, got an empty list"
    if problem["type"] == "string_pattern_mismatch" and "https?" in problem["msg"]:
        return f"{where}: expected a URL that starts with http:// or https:// and holds no user or password"
    said = problem["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    if problem["type"] == "value_error" or said == problem["msg"]:
        return f"{where}: {said}" + ("" if isinstance(given, dict | list | str) else f" (got {_kind(given)})")
    said = said.replace("a valid tuple", "a list").replace("a valid string", "text")
    return f"{where}: expected {said}, got {_kind(given)}{_quoting(given, said)}"


def _kind(given: Any) -> str:
    """What was given, in the words of someone who writes YAML and not Python."""
    if given is None:
        return "nothing"
    if isinstance(given, bool):
        return "true or false"
    kinds = {str: "text", int: "a number", float: "a number", list: "a list", tuple: "a list", dict: "a mapping"}
    return kinds.get(type(given), "a date" if "date" in type(given).__name__ else type(given).__name__)


def _quoting(given: Any, said: str) -> str:
    """YAML's own readings surprise people: `off` is false, `123` a number."""
    wants_text = "text" in said or "'" in said
    return ": put it in quotes" if wants_text and isinstance(given, bool | int | float) else ""


def path(parts: tuple[int | str, ...], tags: frozenset[str]) -> str:
    """`policies[0].rules[2].regex` for the parts of a pydantic location.

    A rule's tag follows its number, so it is left out only there: `detect` is also a key.
    """
    out = ""
    for position, part in enumerate(parts):
        if isinstance(part, int):
            out += f"[{part}]"
        elif not (part in tags and position and isinstance(parts[position - 1], int)):
            out += f".{part[:60]}" if out else part[:60]
    return out or "(file)"
