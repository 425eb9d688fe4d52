"""The policy that this machine pulled, as one file in DATA_DIR: the last good one, so a start needs no collector.

Where it came from stands in the file's first line, so text and origin are replaced together. The file is what all
parts of the tree read: whoever pulls writes it, the supervisor sees it change, the workers load it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from akto_proxy.config.settings import Settings
from akto_proxy.errors import PolicyError, StorageError

_MARK = "# pulled by akto-proxy: "
Stamp = tuple[tuple[int, int] | None, ...]


@dataclass(frozen=True, slots=True)
class Pulled:
    """A policy text and where it came from: the source's URL, its version number (0: it has none) and its ETag."""

    text: str
    source: str
    number: int = 0
    tag: str = ""

    @property
    def named(self) -> str:
        """For people: `version 12 from http://...`."""
        return f"version {self.number} from {self.source}" if self.number else f"the policies of {self.source}"


def source_of(settings: Settings) -> str:
    """Where the policy in force comes from: `file` (POLICY_FILE or the default), `collector` or `akto`."""
    if settings.policy_source != "auto":
        return settings.policy_source
    return "file" if settings.policy_file else "collector"


def path(settings: Settings) -> Path:
    """Where the last good pulled policy lies."""
    return settings.data_path / "policy" / "pulled.yaml"


def read(settings: Settings) -> Pulled | None:
    """The last good pulled policy, if this machine is to use one and has one.

    Raises:
        PolicyError: it is there and cannot be read.
    """
    if source_of(settings) == "file":
        return None
    where = path(settings)
    try:
        text = where.read_text("utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError):
        raise PolicyError(f"{where}: the pulled policy cannot be read; remove the file to pull it again") from None
    first, _, rest = text.partition("\n")
    try:
        origin = json.loads(first.removeprefix(_MARK))
        return Pulled(rest, str(origin["source"]), int(origin["number"]), str(origin["tag"]))
    except (ValueError, KeyError, TypeError):
        raise PolicyError(f"{where}: not written by akto-proxy; remove the file to pull the policy again") from None


def write(settings: Settings, pulled: Pulled) -> None:
    """Put a policy in the last one's place, whole or not at all.

    Raises:
        StorageError: DATA_DIR cannot be written.
    """
    where = path(settings)
    origin = json.dumps({"source": pulled.source, "number": pulled.number, "tag": pulled.tag})
    fresh = where.with_name(f".{where.name}.{os.getpid()}")
    try:
        where.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with fresh.open("w", encoding="utf-8") as out:
            out.write(f"{_MARK}{origin}\n{pulled.text}")
            out.flush()
            os.fsync(out.fileno())
        fresh.replace(where)
    except OSError as error:
        raise StorageError(f"{where}: the pulled policy cannot be kept ({error.strerror}); check DATA_DIR") from None


def watched(settings: Settings) -> tuple[Path, ...]:
    """The files whose change is a change of policy."""
    own = (Path(settings.policy_file),) if settings.policy_file else ()
    return own if source_of(settings) == "file" else (*own, path(settings))


def stamp(paths: Sequence[Path]) -> Stamp:
    """What tells one content of these files from another, without reading them."""
    return tuple(_stamp(path) for path in paths)


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino
