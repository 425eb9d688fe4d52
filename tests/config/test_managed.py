import os
import stat
from pathlib import Path
from threading import Thread

import pytest

from akto_proxy.config.managed import ManagedKey, changing, digest_of, draw, keys_path, read_keys
from akto_proxy.config.settings import load
from akto_proxy.errors import ConfigError

WANTED = ManagedKey("", "search", "", 1.0, models=("llama-*",), team="search")


def add(path: Path) -> str:
    made, text = draw(os.urandom, WANTED)
    with changing(path) as keys:
        keys.append(made)
    return text


def test_a_key_is_kept_as_a_hash_that_its_owner_alone_may_read(tmp_path: Path):
    path = tmp_path / "data" / "keys.json"
    text = add(path)
    (kept,) = read_keys(path)
    assert kept.digest == digest_of(text)
    assert (kept.models, kept.team, kept.id) == (("llama-*",), "search", text[:13])
    assert text.rpartition("-")[2] not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_two_who_change_the_file_at_once_lose_nothing(tmp_path: Path):
    path = tmp_path / "keys.json"
    threads = [Thread(target=lambda: [add(path) for _ in range(10)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({key.id for key in read_keys(path)}) == 40


def test_no_file_is_no_key(tmp_path: Path):
    assert read_keys(tmp_path / "keys.json") == ()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"keys": [1]}',
        '{"keys": [{"id": "akto-1", "name": "n", "digest": "short", "created": 1}]}',
        '{"keys": [{"id": "akto-1", "name": "n", "digest": "%s", "created": 1, "models": "llama"}]}' % ("0" * 64),
        '{"keys": [{"id": "akto-1", "name": "n", "digest": "%s", "created": 1, "more": 2}]}' % ("0" * 64),
    ],
)
def test_a_file_that_is_none_of_ours_is_refused_without_quoting_it(tmp_path: Path, text: str):
    path = tmp_path / "keys.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match="restore it from a backup") as caught:
        read_keys(path)
    assert "digest" not in str(caught.value)


def test_a_change_that_fails_leaves_the_file_as_it_was(tmp_path: Path):
    path = tmp_path / "keys.json"
    add(path)
    before = path.read_bytes()

    def fail() -> None:
        with changing(path) as keys:
            keys.clear()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_bytes() == before


def test_the_file_is_where_the_settings_say(tmp_path: Path):
    assert keys_path(load({"DATA_DIR": str(tmp_path)})) == tmp_path / "keys.json"
    assert keys_path(load({"KEYS_FILE": "/etc/keys.json"})) == Path("/etc/keys.json")


def test_a_token_that_nobody_would_use_refuses_the_start():
    with pytest.raises(ConfigError, match="AUTH=managed"):
        load({"UPSTREAM_TOKEN": "hf_x"})
    with pytest.raises(ConfigError, match="one word") as caught:
        load({"UPSTREAM_TOKEN": "hf_x\nhf_yy", "AUTH": "managed"})
    assert "hf_yy" not in str(caught.value)
    assert load({"UPSTREAM_TOKEN": "hf_x\n", "AUTH": "managed"}).upstream_token.get_secret_value() == "hf_x"
