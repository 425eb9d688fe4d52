from __future__ import annotations

import os
from pathlib import Path

from sqlalchemy import create_engine, text

from akto_proxy.store.control_migrate import upgrade
from akto_proxy.store.control_sql import SqlControlStore


def test_a_proxy_that_spoke_before_has_no_problem(tmp_path: Path):
    url = f"sqlite:///{tmp_path / 'control.db'}"
    engine = create_engine(url)
    upgrade(engine, "0001")
    with engine.begin() as db:
        db.execute(text("INSERT INTO health VALUES ('old:8080', 1.0, '0.1', 'abc', 5, 0.5, 0)"))
    engine.dispose()
    store = SqlControlStore(url, random=os.urandom)
    (proxy,) = store.proxies()
    assert (proxy.name, proxy.dropped, proxy.policy_problem) == ("old:8080", 0, "")
    store.close()
