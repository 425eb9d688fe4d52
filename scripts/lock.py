"""Write the locks for this machine and this Python: every version that `pip` chooses now, with the hash of its file.

    .venv/bin/python scripts/lock.py

`requirements/<system>-<machine>-py<version>.txt` holds all that the tests need, `...-run.txt` only what the product
runs with. `make` installs from them with `--require-hashes` where they fit the machine; on any other machine and
Python it installs from the ranges of pyproject.toml. One hash a package is enough: a lock is for one kind of machine.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
OURS = "akto-agent-proxy"
WHAT = {"": ".[dev,deploy]", "-run": ".[server]"}


def name() -> str:
    """The beginning of the names of this machine's locks; the Makefile makes the same."""
    system, machine = platform.system().lower(), platform.machine()
    return f"{system}-{machine}-py{sys.version_info.major}.{sys.version_info.minor}"


def chosen(what: str) -> list[dict[str, Any]]:
    """What pip would install into an empty environment."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--dry-run",
            "--ignore-installed",
            "--quiet",
            "--report",
            str(report),
        ]
        subprocess.run([*command, what], cwd=ROOT, check=True)
        items: list[dict[str, Any]] = json.loads(report.read_text("utf-8"))["install"]
    return items


def lines(items: list[dict[str, Any]]) -> list[str]:
    """One line a package."""
    out = []
    for item in items:
        package, version = (
            item["metadata"]["name"].lower().replace("_", "-").replace(".", "-"),
            item["metadata"]["version"],
        )
        if package != OURS:
            out.append(
                f"{package}=={version} --hash=sha256:{item['download_info']['archive_info']['hashes']['sha256']}"
            )
    return sorted(out)


def main() -> None:
    """Write both."""
    folder = ROOT / "requirements"
    folder.mkdir(exist_ok=True)
    for suffix, what in WHAT.items():
        (folder / f"{name()}{suffix}.txt").write_text("\n".join(lines(chosen(what))) + "\n", "utf-8")


if __name__ == "__main__":
    main()
