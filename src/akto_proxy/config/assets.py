"""Files that ship inside the package: rule tables, packs, weights. The core is pure, so it is handed their content.

Trade-off: a name is a path inside the package, so a moved file breaks its reader at start (loudly), not at build.
"""

from __future__ import annotations

import mmap
from importlib import resources
from pathlib import Path

from akto_proxy.errors import ConfigError


def read_text(name: str) -> str:
    """The UTF-8 text of package file `name` (for example `guard/rules/secrets-cloud.toml`).

    Raises:
        ConfigError: the file is not in the package.
    """
    return read_bytes(name).decode("utf-8")


def read_bytes(name: str) -> bytes:
    """The bytes of package file `name`.

    Raises:
        ConfigError: the file is not in the package.
    """
    try:
        return resources.files("akto_proxy").joinpath(name).read_bytes()
    except FileNotFoundError as error:
        raise ConfigError(f"{name} is missing from the installed package: install akto-agent-proxy again") from error


def mapped(name: str) -> memoryview:
    """The bytes of package file `name`, mapped read-only: all workers share the pages that they touch.

    Raises:
        ConfigError: the file is not in the package.
    """
    path = resources.files("akto_proxy").joinpath(name)
    if not isinstance(path, Path):  # inside an archive: there is nothing to map
        return memoryview(read_bytes(name))
    try:
        with path.open("rb") as file:
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{name} is missing from the installed package: install akto-agent-proxy again") from error


def names(folder: str, suffix: str) -> list[str]:
    """The sorted names of the package files in `folder` that end in `suffix`, each usable with `read_text`."""
    root = resources.files("akto_proxy").joinpath(folder)
    return sorted(f"{folder}/{item.name}" for item in root.iterdir() if item.name.endswith(suffix))
