import base64
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from akto_proxy.config.keys import deployment_key, key_of
from akto_proxy.config.settings import load
from akto_proxy.errors import ConfigError


def test_a_key_is_made_once_and_only_its_owner_reads_it(tmp_path: Path):
    folder = tmp_path / "data"
    key = deployment_key(folder, "a.key")
    assert len(key) == 32
    assert deployment_key(folder, "a.key") == key
    assert deployment_key(folder, "b.key") != key
    assert (folder / "a.key").stat().st_mode & 0o077 == 0


def test_all_who_ask_at_once_get_one_key(tmp_path: Path):
    together = Barrier(8, timeout=10)

    def draw(size: int) -> bytes:
        together.wait()  # all eight have seen that there is no key yet
        return os.urandom(size)

    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: deployment_key(tmp_path, "a.key", draw), range(8)))
    assert len(keys) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a.key"]


def test_a_broken_key_file_says_what_to_do(tmp_path: Path):
    (tmp_path / "a.key").write_bytes(b"short")
    with pytest.raises(ConfigError, match="restore it from a backup"):
        deployment_key(tmp_path, "a.key")


def test_a_folder_that_cannot_be_made_names_the_setting(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="DATA_DIR"):
        deployment_key(tmp_path / "file" / "x", "a.key")


def test_machines_that_share_a_deployment_key_share_every_key_and_keep_none_on_disk(tmp_path: Path):
    shared = base64.b64encode(bytes(range(32))).decode()
    one, two = (load({"DEPLOYMENT_KEY": shared, "DATA_DIR": str(tmp_path / name)}) for name in ("a", "b"))
    assert key_of(one, "ingest.key") == key_of(two, "ingest.key")
    assert key_of(one, "ingest.key") != key_of(one, "audit.key")
    assert len(key_of(one, "audit.key")) == 32
    assert not list(tmp_path.iterdir())
    alone = load({"DATA_DIR": str(tmp_path / "c")})
    assert key_of(alone, "ingest.key") == (tmp_path / "c" / "ingest.key").read_bytes()


@pytest.mark.parametrize("value", ["not base64!", base64.b64encode(b"short").decode()])
def test_a_deployment_key_that_is_none_refuses_the_start(value: str):
    with pytest.raises(ConfigError, match="openssl rand -base64 32"):
        load({"DEPLOYMENT_KEY": value})
