from __future__ import annotations

from pathlib import Path

import pytest

from akto_proxy.cli import pulled
from akto_proxy.config.settings import load
from akto_proxy.errors import PolicyError, StorageError

TEXT = "version: 1\npolicies: [{name: é, rules: []}]\n"


def settings(folder: Path, **given: str):
    return load({"DATA_DIR": str(folder), **given})


def test_what_is_kept_is_read_with_its_origin(tmp_path: Path):
    kept = pulled.Pulled(TEXT, "http://c:1", 7, '"7-ab"')
    pulled.write(settings(tmp_path), kept)
    assert pulled.read(settings(tmp_path)) == kept
    assert kept.named == "version 7 from http://c:1"
    assert [item.name for item in (tmp_path / "policy").iterdir()] == ["pulled.yaml"]


def test_nothing_is_kept_at_first(tmp_path: Path):
    assert pulled.read(settings(tmp_path)) is None


def test_a_policy_file_wins_unless_the_operator_says_else(tmp_path: Path):
    pulled.write(settings(tmp_path), pulled.Pulled(TEXT, "http://c:1", 7))
    own = str(tmp_path / "own.yaml")
    assert pulled.read(settings(tmp_path, POLICY_FILE=own)) is None
    assert pulled.read(settings(tmp_path, POLICY_FILE=own, POLICY_SOURCE="collector")) is not None
    assert pulled.read(settings(tmp_path, POLICY_SOURCE="file")) is None


def test_only_files_that_can_change_the_policy_are_watched(tmp_path: Path):
    own, kept = tmp_path / "own.yaml", tmp_path / "policy" / "pulled.yaml"
    assert pulled.watched(settings(tmp_path)) == (kept,)
    assert pulled.watched(settings(tmp_path, POLICY_FILE=str(own))) == (own,)
    assert pulled.watched(settings(tmp_path, POLICY_FILE=str(own), POLICY_SOURCE="collector")) == (own, kept)


@pytest.mark.parametrize("text", ["version: 1\n", "# pulled by akto-proxy: {}\nversion: 1\n", "\xff"])
def test_a_file_that_somebody_else_wrote_is_refused_with_the_way_out(tmp_path: Path, text):
    (tmp_path / "policy").mkdir()
    (tmp_path / "policy" / "pulled.yaml").write_text(text, "latin-1")
    with pytest.raises(PolicyError, match="remove the file"):
        pulled.read(settings(tmp_path))


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path):
    (tmp_path / "policy").write_text("in the way")
    with pytest.raises(StorageError, match="check DATA_DIR"):
        pulled.write(settings(tmp_path), pulled.Pulled(TEXT, "x"))


def test_a_stamp_tells_contents_apart(tmp_path: Path):
    file = tmp_path / "a"
    assert pulled.stamp([file]) == (None,)
    file.write_text("1")
    first = pulled.stamp([file])
    assert pulled.stamp([file]) == first
    (tmp_path / "b").write_text("1")
    (tmp_path / "b").replace(file)
    assert pulled.stamp([file]) != first
