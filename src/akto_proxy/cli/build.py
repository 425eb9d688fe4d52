"""Builds the guard out of its parts: rule tables, weights, policies, caches. The one place that knows all of them.

A policy is compiled twice over: its shape by `policy`, its patterns by the engine, whose vectorscan database is kept on
disk by content hash so that every worker after the first loads it in a millisecond.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from weakref import WeakValueDictionary

import yaml

from akto_proxy.cli import pulled
from akto_proxy.cli.detectors import detectors as made
from akto_proxy.cli.plugins import installed
from akto_proxy.config import assets
from akto_proxy.config.compile import DEADLINE, compile_killable
from akto_proxy.config.settings import Settings
from akto_proxy.errors import ConfigError, PolicyError
from akto_proxy.exchange.restore import TOKEN_RULE
from akto_proxy.exchange.shared import Guard
from akto_proxy.guard.absent import AbsentDetector
from akto_proxy.guard.catalogue import parse_rules
from akto_proxy.guard.engine import Engine, compile_alone, compile_database, fingerprint
from akto_proxy.guard.rule import Rule
from akto_proxy.guard.scanner import Detector, Scanner
from akto_proxy.policy.catalogue import of_detectors
from akto_proxy.policy.compile import PolicySet
from akto_proxy.policy.schema import Policy, parse_policies
from akto_proxy.policy.scope import Scope

RULES = "guard/rules"
PACKS = "policy/packs"
DEFAULT_PACK = "default"
SCANNED = frozenset(("prompt-attack", "harm", "names"))
"""The detectors that `akto-proxy scan` runs beside the rules."""
COMMON_PATH = "/v1/chat/completions"
_IN_USE: WeakValueDictionary[tuple[str, frozenset[str], Path | None], Engine] = WeakValueDictionary()
"""The engines of this process by rules, allow-list and cache: a reload that leaves the rules alone builds none."""


def shipped_rules() -> list[Rule]:
    """Every rule of the tables that ship with the program."""
    return list(_shipped())


@lru_cache(maxsize=1)  # reading and checking them takes a fifth of a second, and starting a worker wants them twice
def _shipped() -> tuple[Rule, ...]:
    return tuple(rule for name in assets.names(RULES, ".toml") for rule in parse_rules(assets.read_text(name), name))


def policies(settings: Settings) -> list[Policy]:
    """The policies in force here: the pulled ones, else the policy file, else the default; and the packs beside them.

    Raises:
        ConfigError: a file or pack is not there. PolicyError: it cannot be used.
    """
    kept = pulled.read(settings)
    if kept is not None:
        return with_packs(settings, parse_policies(kept.text, str(pulled.path(settings))))
    if not settings.policy_file:
        return with_packs(settings, pack(DEFAULT_PACK))
    own = parse_policies(_read(settings.policy_file), settings.policy_file)
    return [*own, *(policy for name in settings.packs for policy in pack(name))]


def with_packs(settings: Settings, own: Sequence[Policy]) -> list[Policy]:
    """These policies and those of the packs that are switched on, but for packs' policies that `own` has by name.

    So a pack that was adopted into a pulled text, and perhaps changed there, is not in force twice.
    """
    names = {policy.name for policy in own}
    packs = (policy for name in dict.fromkeys(settings.packs) for policy in pack(name))
    return [*own, *(policy for policy in packs if policy.name not in names)]


def text(settings: Settings) -> str:
    """What `policies` gives as one policy file: the operator's own text where nothing was joined to it."""
    kept = pulled.read(settings)
    if not settings.packs:
        if kept is not None:
            return kept.text
        return _read(settings.policy_file) if settings.policy_file else pack_text(DEFAULT_PACK)
    joined = [policy.model_dump(mode="json", exclude_defaults=True) for policy in policies(settings)]
    return yaml.safe_dump({"version": 1, "policies": joined}, sort_keys=False, allow_unicode=True)


def pack(name: str) -> list[Policy]:
    """The policies of a pack that ships with the program.

    Raises:
        ConfigError: there is no such pack; the message lists all.
    """
    path = f"{PACKS}/{name}.yaml"
    known = assets.names(PACKS, ".yaml")
    if path not in known:
        names = ", ".join(item.rpartition("/")[2].removesuffix(".yaml") for item in known)
        raise ConfigError(f"PACKS: there is no pack `{name[:64]}`; there are: {names}")
    return parse_policies(assets.read_text(path), path)


def pack_names() -> list[str]:
    """The names of the packs that ship, the default policy among them."""
    return [name.rpartition("/")[2].removesuffix(".yaml") for name in assets.names(PACKS, ".yaml")]


def pack_text(name: str) -> str:
    """The YAML of a pack that ships."""
    return assets.read_text(f"{PACKS}/{name}.yaml")


def policy_set(chosen: Sequence[Policy]) -> PolicySet:
    """Policies compiled against the shipped rules and what installed detectors report."""
    return PolicySet(chosen, {**{rule.id: rule for rule in shipped_rules()}, **of_detectors(installed())})


def engine(
    rules: Sequence[Rule],
    cache: Path | None,
    *,
    allow: frozenset[str] = frozenset(),
    custom: Sequence[Rule] = (),
    deadline: float = DEADLINE,
) -> Engine:
    """An engine for `rules`, its database taken from or put into `cache` (None: compiled each time).

    `custom` are those of the rules that a person wrote: where they are compiled, it is in a process that can be killed.
    An engine for the same that is in use here is given again.

    Raises:
        PolicyError: a custom rule takes too long or too much to compile; the message names it.
    """
    key = (fingerprint(rules), allow, cache)
    known = _IN_USE.get(key)
    if known is not None:
        return known
    path = _place(rules, cache)
    kept = database(rules, cache, custom, deadline=deadline) if custom else _bytes(path)
    built = _IN_USE[key] = Engine(rules, database=kept, allow=allow)
    if path is not None and (fresh := built.dump()) != kept:  # none was kept, or one that did not fit this machine
        _keep(path, fresh)
    return built


def guard(settings: Settings, chosen: Sequence[Policy] | None = None) -> Guard:
    """The rules in force and what finds them, for one worker.

    Raises:
        ConfigError, PolicyError: a policy or rule cannot be used; the message names it.
    """
    compiled = policy_set(policies(settings) if chosen is None else chosen)
    built = engine(
        [*shipped_rules(), TOKEN_RULE, *compiled.custom_rules],
        settings.data_path / "cache",
        allow=allowed(settings),
        custom=compiled.custom_rules,
    )
    built.stream(compiled.plan(common_scope(settings)).enabled_response)  # compiled now, not under the first stream
    return Guard(Scanner(built, complete(compiled, detectors(compiled.detectors))), compiled)


def complete(compiled: PolicySet, made: Sequence[Detector]) -> list[Detector]:
    """These detectors, and one whose checks fail in the place of each that policies ask for besides."""
    absent = compiled.missing(item.name for item in made)
    return [*made, *(AbsentDetector(name, *what) for name, what in absent.items())]


def prepare(settings: Settings, chosen: Sequence[Policy]) -> None:
    """Prove policies and put what `guard` needs of them on disk, without building a guard.

    Raises:
        ConfigError, PolicyError: as `guard`.
    """
    compiled = policy_set(chosen)
    custom = compiled.custom_rules
    if custom:
        database([*shipped_rules(), TOKEN_RULE, *custom], settings.data_path / "cache", custom)


def allowed(settings: Settings) -> frozenset[str]:
    """Values that are never a finding: none, or the published examples if the operator lets them pass."""
    lines = assets.read_text(f"{RULES}/allow.txt").splitlines() if settings.allow_examples else ()
    return frozenset(line.strip() for line in lines if line.strip() and not line.startswith("#"))


def common_scope(settings: Settings) -> Scope:
    """The scope of an ordinary call, to prepare what nearly every call will need."""
    return Scope(endpoint=settings.endpoint_name, sensitivity=settings.sensitivity, method="POST", path=COMMON_PATH)


def scanner_for_scan(settings: Settings) -> Scanner:
    """Every shipped rule and detector, for `akto-proxy scan`."""
    return Scanner(engine(shipped_rules(), settings.data_path / "cache", allow=allowed(settings)), detectors(None))


def scanner_for_pages(settings: Settings) -> Scanner:
    """Every shipped rule and detector, for callers that say which of them they want.

    The rules are those of an ordinary guard, its token rule too: so the database that a worker compiled is found on
    disk, and the first start of the dashboard does not wait for another.
    """
    rules = [*shipped_rules(), TOKEN_RULE]
    return Scanner(engine(rules, settings.data_path / "cache", allow=allowed(settings)), detectors(None))


def detectors(wanted: frozenset[str] | None) -> list[Detector]:
    """The detectors beside the engine that some policy asks for (None: those that `scan` reports)."""
    plugins = installed() if wanted is not None else ()
    return [*made(wanted if wanted is not None else SCANNED), *(it for it in plugins if it.name in (wanted or ()))]


def _read(path: str) -> str:
    try:
        return Path(path).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise PolicyError(f"{path}: cannot be read ({reason}); check POLICY_FILE") from None


def database(rules: Sequence[Rule], cache: Path | None, custom: Sequence[Rule], *, deadline: float = DEADLINE) -> bytes:
    """The compiled database of rules some of which a person wrote: from `cache`, else compiled apart and put there.

    Raises:
        PolicyError: a custom rule takes too long or too much to compile; the message names it.
    """
    path = _place(rules, cache)
    with _alone(cache):
        kept = _bytes(path)
        if kept is None:
            kept = compile_killable(compile_database, rules, custom, alone=compile_alone, deadline=deadline)
            if path is not None:
                _keep(path, kept)
        return kept


def _place(rules: Sequence[Rule], cache: Path | None) -> Path | None:
    return cache / f"{fingerprint(rules)}.vectorscan" if cache else None


@contextmanager
def _alone(folder: Path | None) -> Iterator[None]:
    """One process at a time: workers that reload together compile once, and the others find it on disk."""
    try:
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (folder / ".compiling").open("wb") if folder is not None else None
    except OSError:
        lock = None  # a folder that cannot be written costs time, not function
    if lock is None:
        yield
        return
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # freed when the file is closed, or its process dies
        yield


def _bytes(path: Path | None) -> bytes | None:
    try:
        return path.read_bytes() if path is not None else None
    except OSError:
        return None


def _keep(path: Path, data: bytes) -> None:
    """Put a cache file in place whole or not at all. A cache that cannot be kept costs time, not function."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh.write_bytes(data)
        fresh.replace(path)
    except OSError:
        return
