"""Keys of this deployment: made once, kept beside the data, readable by their owner alone.

Hashes of credentials and replacement tokens must be the same in every worker and after a restart, so their key cannot
be drawn at start; nobody should have to invent it either. Only where several machines are one deployment (or a machine
keeps nothing) must an operator set DEPLOYMENT_KEY; then every key is derived from it and nothing is kept on disk.
"""

from __future__ import annotations

import contextlib
import hmac
import os
import tempfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from akto_proxy.config.settings import Settings
from akto_proxy.errors import ConfigError

_SIZE = 32


def key_of(settings: Settings, name: str) -> bytes:
    """The 32 bytes of key `name`: derived from DEPLOYMENT_KEY (HMAC-SHA256) where it is set, else kept in DATA_DIR.

    Raises:
        ConfigError: DATA_DIR cannot keep it.
    """
    master = settings.master_key
    return hmac.new(master, name.encode(), sha256).digest() if master else deployment_key(settings.data_path, name)


def deployment_key(folder: Path, name: str, random: Callable[[int], bytes] = os.urandom) -> bytes:
    """The 32 bytes in `folder/name`, made when they are not there yet. Several processes may ask at once.

    Raises:
        ConfigError: the folder cannot be written, or the file does not hold 32 bytes.
    """
    path = folder / name
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not path.exists():
            _draw(path, random)
        key = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be kept ({error.strerror}); set DATA_DIR to a folder that can") from None
    if len(key) != _SIZE:
        raise ConfigError(f"{path}: expected {_SIZE} bytes; restore it from a backup, or remove it to draw a new one")
    return key


def _draw(path: Path, random: Callable[[int], bytes]) -> None:
    """Whoever links first wins, and all read the winner's key. The fresh file is each asker's own, threads included."""
    handle, fresh = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # 0600 from the beginning
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(random(_SIZE))
        with contextlib.suppress(FileExistsError):
            os.link(fresh, path)
    finally:
        Path(fresh).unlink()
