from __future__ import annotations

import os
from pathlib import Path

from sqlalchemy import create_engine

from akto_proxy.store.control_migrate import upgrade
from akto_proxy.store.control_sql import SqlControlStore


def test_a_file_from_before_has_no_learned_limit(tmp_path: Path):
    url = f"sqlite:///{tmp_path / 'control.db'}"
    engine = create_engine(url)
    upgrade(engine, "0002")
    engine.dispose()
    store = SqlControlStore(url, random=os.urandom)
    assert store.proposals(["proposed", "accepted"]) == []
    store.close()
