"""The file of managed keys: who may call with a key of ours, kept as hashes, so that the file itself lets nobody in.

A key is `akto-<id>-<secret>`; the id is public (it stands in traces), the secret is 32 random bytes, shown once. Such a
secret cannot be guessed, so one SHA-256 is enough to keep it; a slow password hash would only slow the data plane.
"""

from __future__ import annotations

import base64
import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import orjson

from akto_proxy.config.settings import Settings
from akto_proxy.errors import ConfigError

PREFIX = "akto-"
_VERSION = 1


@dataclass(frozen=True, slots=True)
class ManagedKey:
    """A key as kept. `endpoints` and `models` are globs, empty for all; times are Unix seconds, 0 for never.

    `team` and `user` are the caller's team and user in limits, policies and traces, whatever its headers say.
    """

    id: str
    name: str
    digest: str
    created: float
    expires: float = 0.0
    revoked: float = 0.0
    endpoints: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    team: str = ""
    user: str = ""


def digest_of(key: str) -> str:
    """What is kept of a key: the SHA-256 of its whole text, in hex."""
    return sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def draw(random: Callable[[int], bytes], key: ManagedKey) -> tuple[ManagedKey, str]:
    """`key` with a fresh id and secret, and the text to give to its holder, which is kept nowhere."""
    ident = random(4).hex()
    text = f"{PREFIX}{ident}-{base64.urlsafe_b64encode(random(32)).decode().rstrip('=')}"
    return replace(key, id=PREFIX + ident, digest=digest_of(text)), text


def keys_path(settings: Settings) -> Path:
    """Where the keys are: KEYS_FILE, else `keys.json` in DATA_DIR."""
    return Path(settings.keys_file).expanduser() if settings.keys_file else settings.data_path / "keys.json"


def read_keys(path: Path) -> tuple[ManagedKey, ...]:
    """The keys in a file; none when it is not there.

    Raises:
        ConfigError: it cannot be read. The message holds nothing of it.
    """
    try:
        data = orjson.loads(path.read_bytes())
        return tuple(_key(item) for item in data["keys"])
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); check KEYS_FILE") from None
    except (ValueError, TypeError, KeyError):
        raise ConfigError(f"{path}: not a file that `akto-proxy keys` wrote; restore it from a backup") from None


def _key(item: dict[str, object]) -> ManagedKey:
    key = ManagedKey(**{**item, "endpoints": _globs(item, "endpoints"), "models": _globs(item, "models")})  # type: ignore[arg-type]
    texts = (key.id, key.name, key.digest, key.team, key.user, *key.endpoints, *key.models)
    if not all(isinstance(text, str) for text in texts) or len(key.digest) != 64 or not key.id.startswith(PREFIX):
        raise ValueError("not a key")
    float(key.created), float(key.expires), float(key.revoked)
    return key


def _globs(item: dict[str, object], name: str) -> tuple[str, ...]:
    value = item.get(name, [])
    if not isinstance(value, list):
        raise TypeError("a list is expected")
    return tuple(value)


@contextmanager
def changing(path: Path) -> Iterator[list[ManagedKey]]:
    """The keys of a file as a list to change; at the end it is put in place whole, readable by its owner alone.

    Two who change it at once wait for each other.

    Raises:
        ConfigError: it cannot be read or written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            keys = list(read_keys(path))
            yield keys
            _write(path, keys)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written ({error.strerror}); check KEYS_FILE or DATA_DIR") from None


def _write(path: Path, keys: Sequence[ManagedKey]) -> None:
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_bytes(b"")
    fresh.chmod(0o600)
    fresh.write_bytes(orjson.dumps({"version": _VERSION, "keys": list(keys)}, option=orjson.OPT_INDENT_2))
    fresh.replace(path)
