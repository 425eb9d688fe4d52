"""What the product is made of, from what is installed: docs/licences.md, and an SBOM in CycloneDX.

    python scripts/licences.py                 writes docs/licences.md
    python scripts/licences.py --sbom FILE     writes an SBOM (CycloneDX 1.5, JSON) with the versions installed here

Only what the product needs to run counts (dependencies and the `server` extra, and what those need), not the tools that
test it. A licence is what a package says of itself; words differ, so they are brought to one form here. Copyleft fails
tests/test_supply.py unless it is listed there with a reason.
"""

from __future__ import annotations

import argparse
import json
import re
import uuid
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "licences.md"
OURS = "akto-agent-proxy"
EXTRAS = ("server",)
FORMS = (
    ("MIT OR Apache-2.0", r"(?i)mit or apache|apache.*or mit|apache-2\.0 or mit"),
    ("LGPL-3.0-only", r"(?i)lgpl.*3|lesser general public license v3"),
    ("LGPL-2.1-or-later", r"(?i)lgpl|lesser general"),
    ("AGPL-3.0", r"(?i)agpl|affero"),
    ("GPL", r"(?i)\bgpl|general public licen[cs]e"),
    ("MPL-2.0", r"(?i)mpl|mozilla public"),
    ("Apache-2.0", r"(?i)apache"),
    ("PSF-2.0", r"(?i)psf|python software foundation"),
    ("BSD-2-Clause", r"(?i)bsd-2"),
    ("BSD-3-Clause", r"(?i)bsd"),
    ("ISC", r"(?i)\bisc\b"),
    ("Unlicense", r"(?i)unlicense"),
    ("MIT", r"(?i)\bmit\b|expat"),
    ("0BSD", r"(?i)0bsd"),
)


def needed(name: str, extras: tuple[str, ...], seen: dict[str, Distribution]) -> None:
    """Put everything that a package needs here, and what that needs, into `seen`."""
    try:
        found = distribution(name)
    except PackageNotFoundError:
        return
    for text in found.requires or ():
        requirement = Requirement(text)
        if requirement.marker and not any(requirement.marker.evaluate({"extra": extra}) for extra in (*extras, "")):
            continue
        key = canonicalize_name(requirement.name)
        if key not in seen and key != OURS:
            try:
                seen[key] = distribution(key)
            except PackageNotFoundError:
                continue
            needed(key, tuple(requirement.extras), seen)


def licence(found: Distribution) -> str:
    """One of the forms above, or what the package says, or `?`."""
    meta = found.metadata
    said = [meta.get("License-Expression") or ""]
    said += [
        line.rpartition("::")[2].strip() for line in meta.get_all("Classifier") or () if line.startswith("License ::")
    ]
    said.append((meta.get("License") or "").strip().split("\n")[0][:80])
    for words in said:
        for name, pattern in FORMS:
            if words and re.search(pattern, words):
                return name
    return next((words for words in said if words), "?")


def product() -> dict[str, Distribution]:
    """Every package the product runs with, by name."""
    seen: dict[str, Distribution] = {}
    needed(OURS, EXTRAS, seen)
    return dict(sorted(seen.items()))


def page() -> str:
    """docs/licences.md."""
    rows = [f"| {name} | {licence(found)} |" for name, found in product().items()]
    head = (
        "# Licences of what the product runs with\n\n"
        "Made by `python scripts/licences.py` from what is installed; versions are in the lock file and the SBOM\n"
        "(`make sbom`). The program itself is MIT (LICENSE); what it adapts from others is in NOTICE.\n\n"
        "| package | licence |\n|---|---|\n"
    )
    return head + "\n".join(rows) + "\n"


def sbom() -> str:
    """A CycloneDX 1.5 document."""
    own = distribution(OURS)
    parts = [
        {
            "type": "library",
            "bom-ref": f"pkg:pypi/{name}@{found.version}",
            "name": name,
            "version": found.version,
            "purl": f"pkg:pypi/{name}@{found.version}",
            "licenses": [{"license": {"name": licence(found)}}],
        }
        for name, found in product().items()
    ]
    serial = uuid.uuid5(uuid.NAMESPACE_URL, " ".join(str(part["purl"]) for part in parts))
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {"component": {"type": "application", "name": OURS, "version": own.version, "bom-ref": OURS}},
        "components": parts,
        "dependencies": [{"ref": OURS, "dependsOn": [part["bom-ref"] for part in parts]}],
    }
    return json.dumps(document, indent=1) + "\n"


def main() -> None:
    """Write one of the two."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sbom", default="")
    options = parser.parse_args()
    if options.sbom:
        Path(options.sbom).write_text(sbom(), "utf-8")
    else:
        PAGE.write_text(page(), "utf-8")


if __name__ == "__main__":
    main()
