"""What the product is made of: licences are known, the lock covers what is asked for, the SBOM is whole."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]
LOCKS = sorted((ROOT / "requirements").glob("*[0-9].txt"))
COPYLEFT = {
    "psycopg": "LGPL-3.0-only: used as it is, as a library that a user can replace; optional (PostgreSQL)",
    "psycopg-binary": "LGPL-3.0-only: the same, compiled",
    "python-stdnum": "LGPL-2.1-or-later: used as it is, as a library that a user can replace",
    "certifi": "MPL-2.0: a list of certificates, unchanged",
}
"""Copyleft that was looked at, and why it may be there."""
FREE = {"MIT", "MIT OR Apache-2.0", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "PSF-2.0", "Unlicense", "0BSD"}


@pytest.fixture(scope="module")
def licences() -> ModuleType:
    spec = importlib.util.spec_from_file_location("akto_licences", ROOT / "scripts" / "licences.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def listed(page: str) -> dict[str, str]:
    return dict(re.findall(r"^\| ([a-z0-9.-]+) \| ([^|]+?) \|$", page, re.MULTILINE))


def test_every_package_has_a_known_licence_and_no_copyleft_slips_in(licences: ModuleType) -> None:
    strange = {
        name: said
        for name, found in licences.product().items()
        if (said := licences.licence(found)) not in FREE and name not in COPYLEFT
    }
    assert not strange


def test_the_page_names_every_package(licences: ModuleType) -> None:
    assert not set(licences.product()) - set(listed((ROOT / "docs" / "licences.md").read_text("utf-8")))


def test_the_bill_of_materials_is_whole(licences: ModuleType) -> None:
    document = json.loads(licences.sbom())
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.5")
    names = {part["name"] for part in document["components"]}
    assert {"hyperscan", "orjson", "fastapi"} <= names
    assert len(document["dependencies"][0]["dependsOn"]) == len(names)
    assert licences.sbom() == licences.sbom()


def asked() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *extras["server"], *extras["dev"]]
    names = {re.split(r"[\[<>=!~; ]", entry)[0].lower().replace("_", "-").replace(".", "-") for entry in wanted}
    return names - {"akto-agent-proxy"}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_a_lock_covers_what_is_asked_for_with_hashes_and_no_host(lock: Path) -> None:
    text = lock.read_text("utf-8")
    pinned = dict(re.findall(r"^([a-z0-9.-]+)(?:\[[a-z,]+\])?==(\S+)", text, re.MULTILINE))
    assert not asked() - set(pinned)
    entries = re.split(r"\n(?=[a-z0-9])", text)
    assert not [entry.split("==")[0] for entry in entries if "==" in entry and "--hash=sha256:" not in entry]
    assert not re.search(r"https?://|file:|--index|--find-links|--extra-index", text)
