"""Server time of every page of the dashboard over many traces: p50 and p95 of so many requests each, and its size.

`python bench/pages.py --data DIR` (DIR is kept between runs; filling it with a million invented traces takes minutes).
The pages are asked for in the same process, so what is measured is the server's work and not the loopback.
"""

from __future__ import annotations

import argparse
import importlib.util
import secrets
import sys
import time
from pathlib import Path
from types import ModuleType

from fastapi import FastAPI
from starlette.testclient import TestClient

from akto_proxy.dashboard.app import create_app
from akto_proxy.store.control_sql import SqlControlStore
from akto_proxy.store.sqlite import SqliteStore

BATCH = 5000
SPAN = 14 * 86400
MORE = {
    "overview-30d": "/?since=30d",
    "traces-blocked": "/traces?verdict=block",
    "traces-user": "/traces?user=ada",
    "traces-text": "/traces?text=gradient",
    "activity-30d": "/activity?since=30d",
    "endpoint-30d": "/endpoints/profile?name=support-llama&since=30d",
    "caller-30d": "/callers/profile?field=user&value=ada&since=30d",
    "agent-7d": "/callers/profile?field=agent&value=support-bot&since=7d",
    "reports-30d": "/reports?since=30d",
    "live": "/traces/live",
}


def samples() -> ModuleType:
    """The invented traffic of the pictures."""
    path = Path(__file__).parents[1] / "scripts" / "screenshots.py"
    spec = importlib.util.spec_from_file_location("akto_screenshots", path)
    if spec is None or spec.loader is None:
        raise SystemExit("scripts/screenshots.py is not here")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def fill(store: SqliteStore, sample: ModuleType, count: int) -> None:
    """Invented traces up to now."""
    batch = []
    for trace in sample.traffic(count, until=time.time(), span=SPAN):
        batch.append(trace)
        if len(batch) == BATCH:
            store.insert_many(batch)
            batch = []
    store.insert_many(batch)


def measure(client: TestClient, path: str, times: int) -> tuple[float, float, float, int]:
    """p50 and p95 milliseconds, CPU milliseconds of this process a request, and the size in bytes."""
    taken: list[float] = []
    used = time.process_time()
    size = 0
    for _ in range(times):
        began = time.perf_counter()
        answer = client.get(path)
        taken.append((time.perf_counter() - began) * 1000)
        if answer.status_code != 200:
            raise SystemExit(f"{path}: HTTP {answer.status_code}")
        size = len(answer.content)
    used = (time.process_time() - used) * 1000 / times
    taken.sort()
    return taken[len(taken) // 2], taken[int(len(taken) * 0.95)], used, size


def house(doc: str | None, *, traces: int, times: int) -> tuple[argparse.Namespace, ModuleType, SqliteStore, FastAPI]:
    """The command line's choices, the invented traffic, the filled store of `--data`, and the dashboard over it."""
    read = argparse.ArgumentParser(description=doc)
    read.add_argument("--data", type=Path, required=True)
    read.add_argument("--traces", type=int, default=traces)
    read.add_argument("--times", type=int, default=times)
    read.add_argument("--only", default="")
    given = read.parse_args()
    given.data.mkdir(parents=True, exist_ok=True)
    sample = samples()
    store = SqliteStore(given.data / "traces.db")
    if not store.count():
        fill(store, sample, given.traces)
    control = SqlControlStore(f"sqlite:///{given.data / 'control.db'}", random=secrets.token_bytes)
    if not control.people():
        sample.furnish(control, store, time.time())
    # "Now" is when the newest trace came, so that a store filled yesterday answers like one of today.
    newest = store.storage().newest + 1
    app = create_app(
        traces=store,
        control=control,
        workshop=sample.workshop(given.data),
        clock=lambda: newest,
        randomness=secrets.token_bytes,
        keys=sample.keys(given.data),
    )
    return given, sample, store, app


def main() -> None:
    """Print the table."""
    given, sample, store, app = house(__doc__, traces=1_000_000, times=20)
    client = TestClient(app, base_url="http://dash.test", follow_redirects=False)
    client.cookies.set("akto_session", app.state.house.sessions.begin("ada@acme.example"))
    print(f"{store.count():,} traces, {given.times} requests each\n")
    print("| Page | p50 ms | p95 ms | CPU ms | KB |\n|---|---|---|---|---|")
    for name, path in {**sample.tour(store), **MORE}.items():
        if given.only in name:
            measure(client, path, 1)
            p50, p95, used, size = measure(client, path, given.times)
            print(f"| {name} | {p50:.0f} | {p95:.0f} | {used:.0f} | {size / 1000:.0f} |", flush=True)


if __name__ == "__main__":
    main()
