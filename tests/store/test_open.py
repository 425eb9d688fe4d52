"""One URL chooses the engine."""

from pathlib import Path

import pytest

from akto_proxy.errors import ConfigError, StorageError
from akto_proxy.store.open import open_traces


def test_one_url_chooses_the_engine(tmp_path: Path) -> None:
    for url in (str(tmp_path / "a.db"), f"sqlite:///{tmp_path}/b.db"):
        store = open_traces(url)
        assert store.storage().engine == "sqlite"
        store.close()
    assert (tmp_path / "b.db").exists()
    for bad in ("mysql://x/y", "sqlite://", "clickhouse://h/a;b"):
        with pytest.raises(ConfigError):
            open_traces(bad)
    with pytest.raises(StorageError, match="cannot be reached"):
        open_traces("clickhouse://user:hunter2@127.0.0.1:1/akto", timeout=2.0)


def test_a_password_in_a_url_is_not_repeated() -> None:
    with pytest.raises(StorageError) as refused:
        open_traces("clickhouse://user:hunter2@127.0.0.1:1/akto", timeout=2.0)
    assert "hunter2" not in str(refused.value)
