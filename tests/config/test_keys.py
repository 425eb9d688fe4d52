from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from akto_proxy.config.keys import deployment_key
from akto_proxy.errors import ConfigError


def test_a_key_is_made_once_and_only_its_owner_reads_it(tmp_path: Path):
    folder = tmp_path / "data"
    key = deployment_key(folder, "a.key")
    assert len(key) == 32
    assert deployment_key(folder, "a.key") == key
    assert deployment_key(folder, "b.key") != key
    assert (folder / "a.key").stat().st_mode & 0o077 == 0


def test_all_who_ask_at_once_get_one_key(tmp_path: Path):
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: deployment_key(tmp_path, "a.key"), range(32)))
    assert len(keys) == 1


def test_a_broken_key_file_says_what_to_do(tmp_path: Path):
    (tmp_path / "a.key").write_bytes(b"short")
    with pytest.raises(ConfigError, match="restore it from a backup"):
        deployment_key(tmp_path, "a.key")


def test_a_folder_that_cannot_be_made_names_the_setting(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="DATA_DIR"):
        deployment_key(tmp_path / "file" / "x", "a.key")
