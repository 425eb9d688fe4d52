"""What a check says, and what all of them say together.

A check never raises and never stops the next one: whatever it met is a Result with a state, a sentence and, unless all
is well, a fix. The four troubles are the ones that guides name; a failed check belongs to one of them, so that the
verdict can say the trouble by its name instead of leaving a list to be read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class State(StrEnum):
    """How a check ended. `warn` is worth reading and stops nothing; `skip` says why it could not be asked."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    SKIP = "skip"


class Trouble(StrEnum):
    """The four troubles of a private endpoint behind a proxy."""

    NONE = ""
    CONFIGURATION = "configuration cannot be used"
    REACH = "endpoint not reached"
    AUTH = "authentication fails"
    LOGS = "no logs"
    GUARD = "guardrail not triggering"


@dataclass(frozen=True, slots=True)
class Result:
    """One check's answer. `what` says what was seen, `fix` what to do; neither holds a credential or a body."""

    name: str
    state: State
    what: str
    fix: str = ""
    trouble: Trouble = Trouble.NONE


@dataclass(frozen=True, slots=True)
class Report:
    """All answers, in the order the checks ran."""

    results: tuple[Result, ...]

    @property
    def troubles(self) -> tuple[tuple[Trouble, tuple[str, ...]], ...]:
        """Each trouble that was found, with the checks that show it, in the order they ran."""
        found: dict[Trouble, list[str]] = {}
        for item in self.results:
            if item.state is State.FAIL and item.trouble:
                found.setdefault(item.trouble, []).append(item.name)
        return tuple((trouble, tuple(names)) for trouble, names in found.items())

    @property
    def exit_code(self) -> int:
        """0 nothing failed, 1 a check failed, 2 the configuration cannot be used."""
        failed = [item for item in self.results if item.state is State.FAIL]
        if any(item.trouble is Trouble.CONFIGURATION for item in failed):
            return 2
        return 1 if failed else 0

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for `--json`."""
        return {
            "ok": self.exit_code == 0,
            "exit_code": self.exit_code,
            "troubles": [{"trouble": trouble.value, "checks": list(names)} for trouble, names in self.troubles],
            "checks": [
                {"name": r.name, "state": r.state.value, "what": r.what, "fix": r.fix, "trouble": r.trouble.value}
                for r in self.results
            ],
        }


def ok(name: str, what: str) -> Result:
    """All is well."""
    return Result(name, State.OK, what)


def warn(name: str, what: str, fix: str, trouble: Trouble = Trouble.NONE) -> Result:
    """Worth reading."""
    return Result(name, State.WARN, what, fix, trouble)


def fail(name: str, what: str, fix: str, trouble: Trouble) -> Result:
    """Broken."""
    return Result(name, State.FAIL, what, fix, trouble)


def skip(name: str, why: str, fix: str = "") -> Result:
    """Not asked, and why."""
    return Result(name, State.SKIP, why, fix)


def named(results: Sequence[Result], name: str) -> Result | None:
    """The first result with this name."""
    return next((item for item in results if item.name == name), None)
