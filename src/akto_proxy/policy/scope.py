"""Where a policy applies: a call's Scope against the globs of a policy.

Every list a policy gives must hold (and), each by one of its globs (or); `exclude` turns the call away again. Nothing
here depends on the order of policies. Globs become RE2 patterns, so a path from the network costs linear time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from akto_proxy.model import Caller
from akto_proxy.policy.pattern import compiled, glob_pattern
from akto_proxy.policy.schema import ScopeRule


@dataclass(frozen=True, slots=True)
class Scope:
    """What is known of a call when policies are chosen. `model` may be empty until the body is read."""

    endpoint: str = ""
    sensitivity: str = "internal"
    method: str = ""
    path: str = ""
    route: str = ""
    model: str = ""
    caller: Caller = field(default_factory=Caller)
    tags: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """One condition: how its value is read off a Scope (any of several), and the test of a value."""

    name: str
    read: Callable[[Scope], Sequence[str]]
    test: Callable[[str], bool]
    globs: tuple[str, ...]

    def holds(self, scope: Scope) -> bool:
        """Whether one of the values passes."""
        return any(self.test(value) for value in self.read(scope))


_CALLER: dict[str, Callable[[Scope], Sequence[str]]] = {
    "keys": lambda scope: (scope.caller.key,),
    "users": lambda scope: (scope.caller.user,),
    "teams": lambda scope: (scope.caller.team,),
    "agents": lambda scope: (scope.caller.agent,),
    "sessions": lambda scope: (scope.caller.session,),
    "ips": lambda scope: (scope.caller.ip,),
}
_PLAIN: dict[str, Callable[[Scope], Sequence[str]]] = {
    "endpoints": lambda scope: (scope.endpoint,),
    "sensitivity": lambda scope: (scope.sensitivity,),
    "methods": lambda scope: (scope.method,),
    "paths": lambda scope: (scope.path,),
    "routes": lambda scope: (scope.route,),
    "models": lambda scope: (scope.model,),
}


class Matcher:
    """A ScopeRule made ready."""

    def __init__(self, rule: ScopeRule) -> None:
        self.parts: tuple[Part, ...] = tuple(_parts(rule))

    def holds(self, scope: Scope) -> bool:
        """Whether every condition holds. No condition: everywhere."""
        return all(part.holds(scope) for part in self.parts)

    def misses(self, scope: Scope) -> list[str]:
        """The conditions that do not hold, in words."""
        return [f"{part.name} is not {' or '.join(part.globs)}" for part in self.parts if not part.holds(scope)]


def _parts(rule: ScopeRule) -> Iterable[Part]:
    for name, read in _PLAIN.items():
        if globs := tuple(getattr(rule, name)):
            yield Part(name, read, _any_of(globs, path=name == "paths", fold=name == "methods"), globs)
    for name, read in _CALLER.items():
        if globs := tuple(getattr(rule.callers, name)):
            yield Part(f"callers.{name}", read, _any_of(globs), globs)
    for tag, globs in sorted(rule.tags.items()):
        yield Part(f"tags.{tag}", _tag(tag), _any_of(tuple(globs)), tuple(globs))


def _tag(name: str) -> Callable[[Scope], Sequence[str]]:
    wanted = name.lower()
    return lambda scope: [value for key, value in scope.tags if key.lower() == wanted]


def _any_of(globs: tuple[str, ...], *, path: bool = False, fold: bool = False) -> Callable[[str], bool]:
    if fold:
        globs = tuple(glob.upper() for glob in globs)
    literal = frozenset(glob for glob in globs if "*" not in glob and "?" not in glob)
    patterns = [compiled(glob_pattern(glob, path=path)) for glob in globs if glob not in literal]
    return lambda value: value in literal or any(pattern.search(value) is not None for pattern in patterns)
