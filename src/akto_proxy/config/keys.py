"""Keys of this deployment: made once, kept beside the data, readable by their owner alone.

Hashes of credentials and replacement tokens must be the same in every worker and after a restart, so their key cannot
be drawn at start; it is not a setting either, because nobody should have to invent it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from akto_proxy.errors import ConfigError

_SIZE = 32


def deployment_key(folder: Path, name: str, random: Callable[[int], bytes] = os.urandom) -> bytes:
    """The 32 bytes in `folder/name`, made when they are not there yet. Several processes may ask at once.

    Raises:
        ConfigError: the folder cannot be written, or the file does not hold 32 bytes.
    """
    path = folder / name
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = folder / f".{name}.{os.getpid()}"
        if not path.exists():
            fresh.write_bytes(b"")
            fresh.chmod(0o600)
            fresh.write_bytes(random(_SIZE))
            try:
                os.link(fresh, path)  # whoever links first wins; all read the winner's key
            except FileExistsError:
                pass
            finally:
                fresh.unlink()
        key = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be kept ({error.strerror}); set DATA_DIR to a folder that can") from None
    if len(key) != _SIZE:
        raise ConfigError(f"{path}: expected {_SIZE} bytes; restore it from a backup, or remove it to draw a new one")
    return key
