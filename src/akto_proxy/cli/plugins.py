"""Detectors of installed packages: Python code that the operator chose to install, found through an entry point.

A package offers one under the group `akto_proxy.detectors`; the entry's object, called without arguments, is a
`guard.scanner.Detector`. A policy names what it reports like anything else; a policy file itself never brings code.
What cannot be loaded refuses the start with a sentence, because a policy that counts on it would see less.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from akto_proxy.cli.detectors import NAMES
from akto_proxy.errors import ConfigError
from akto_proxy.guard.scanner import Detector
from akto_proxy.policy.catalogue import ENGINE

GROUP = "akto_proxy.detectors"
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")


@cache
def installed() -> tuple[Detector, ...]:
    """The detectors of all installed packages, made once for each process.

    Raises:
        ConfigError: one cannot be loaded or is no detector; the message names the plugin and its package.
    """
    return loaded(entry_points(group=GROUP))


def loaded(entries: Iterable[EntryPoint]) -> tuple[Detector, ...]:
    """The detectors that entry points stand for, by name.

    Raises:
        ConfigError: as `installed`.
    """
    made: dict[str, Detector] = {}
    for entry in sorted(entries, key=lambda item: item.name):
        where = f"detector plugin {entry.name[:64]!r} of package {entry.dist.name if entry.dist else '?'}"
        try:
            detector = entry.load()()
        except Exception as error:  # noqa: BLE001  it is another's code; its message may hold anything, so its kind is told
            kind = type(error).__name__
            raise ConfigError(f"{where}: cannot be loaded ({kind}); mend the package or uninstall it") from None
        name, category = getattr(detector, "name", ""), getattr(detector, "category", "")
        if not all(isinstance(word, str) and _NAME.fullmatch(word) for word in (name, category)):
            raise ConfigError(f"{where}: needs a `name` and a `category` of lower-case letters, digits and dashes")
        if not callable(getattr(detector, "check", None)):
            raise ConfigError(f"{where}: has no method `check`; see guard.scanner.Detector")
        if name in made or name in (*NAMES, ENGINE):
            raise ConfigError(f"{where}: a detector {name!r} is there already; give it another name")
        made[name] = detector
    return tuple(made.values())
