"""How this proxy's cost grows: with the size of a body, the callers at once, the length of a stream, rules and workers.

    python bench/growth.py [--rounds 3] [--seconds 2] [--only WORD]

CPU time of the proxy's own processes (user and system) by the answers or events of a round, as in bench/run.py.
The default policy and its traces are on. Each row of a table is measured in turn, round after round, and the median of
its rounds is printed. Load and model server share core 1; the proxy has core 0, with two workers both cores.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
import run  # noqa: E402
import yaml  # noqa: E402
from policies import own  # noqa: E402

SENTENCE = "Summarise the quarterly report about growth in the northern region. "
LONG = 50_000
"""Microseconds between the events of one stream."""


@dataclass
class House:
    """Processes that guard one port, and what they have used."""

    port: int
    process: subprocess.Popen[bytes]
    costs: dict[str, list[float]] = field(default_factory=dict)

    def pids(self) -> list[int]:
        """The process and all below it."""
        found, left = [], [self.process.pid]
        while left:
            pid = left.pop()
            found.append(pid)
            try:
                left += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
            except OSError:
                continue
        return found

    def cpu(self) -> float:
        """User and system seconds so far."""
        return sum(run.Proxy("", 0, self.process, pid).cpu() for pid in self.pids())

    def memory_mb(self) -> float:
        """Resident now, all processes."""
        return sum(run.Proxy("", 0, self.process, pid).memory_kb() for pid in self.pids()) / 1024


class Bench:
    """What all tables share: tools, a model server, and houses that are started once."""

    def __init__(self, folder: Path, options: argparse.Namespace) -> None:
        self.folder = folder
        self.options = options
        self.tool, self.server = run.build(folder, "load"), run.build(folder, "model")
        self._next = run.BASE + 100

    def port(self) -> int:
        """A port that nobody here has."""
        self._next += 1
        return self._next

    @contextmanager
    def model(self, events: int = 200, interval: int = LONG, answer: int = 900) -> Iterator[int]:
        """A model server; gives its port."""
        port = self.port()
        process = run.pinned(1, self.server, str(port), str(answer), str(events), str(interval))
        try:
            run.await_port(port)
            yield port
        finally:
            process.terminate()
            process.wait(10)

    @contextmanager
    def house(self, model: int, workers: int = 1, **environ: str) -> Iterator[House]:
        """Workers that guard that model server."""
        port = self.port()
        told = {**os.environ, **environ}
        if workers == 1:
            command = ["taskset", "-c", "0", sys.executable, str(HERE / "guarding.py"), str(port), str(model)]
        else:
            data = tempfile.mkdtemp(dir=self.folder)
            told |= {"APP_URL": f"http://127.0.0.1:{model}", "AKTO_PROXY_PORT": str(port), "DATA_DIR": data}
            told |= {"WORKERS": str(workers), "LOG_LEVEL": "ERROR", "ADMIN_PORT": "0"}
            command = [str(Path(sys.executable).parent / "akto-proxy"), "proxy"]
        process = subprocess.Popen(command, env=told, stderr=subprocess.DEVNULL)
        try:
            run.await_port(port)
            yield House(port, process)
        finally:
            process.terminate()
            process.wait(30)

    def body(self, size: int = 900, *, stream: bool = False) -> Path:
        """A chat request of about so many characters."""
        path = self.folder / f"{size}-{stream}.json"
        prompt = (SENTENCE * (size // len(SENTENCE) + 1))[:size]
        tree = {"model": "bench", "messages": [{"role": "user", "content": prompt}], "stream": stream}
        path.write_text(json.dumps(tree, separators=(",", ":")))
        return path

    def once(self, house: House, name: str, callers: int, body: Path, per: str) -> None:
        """One round: microseconds of CPU by what `per` counts."""
        before = house.cpu()
        command = ["taskset", "-c", "1", self.tool, str(house.port), str(callers), str(self.options.seconds), str(body)]
        raw = subprocess.run(command, check=True, capture_output=True, timeout=self.options.seconds + 60).stdout
        seen = json.loads(raw)
        if seen["bad"] or seen["errors"]:
            print(f"{name}: {seen['bad']} bad answers, {seen['errors']} errors", file=sys.stderr)
        house.costs.setdefault(name, []).append((house.cpu() - before) * 1e6 / max(1, seen[per]))

    def rounds(self, turn: Callable[[], None]) -> None:
        """A round to get warm, whose figures are dropped by the median of the rest, then the rest."""
        for _ in range(self.options.rounds):
            turn()


def table(title: str, unit: str, rows: list[tuple[str, list[float], str]]) -> None:
    """Print one table as Markdown."""
    print(f"\n| {title} | CPU us {unit} | spread | |\n|---|---|---|---|")
    for name, costs, more in rows:
        print(f"| {name} | {statistics.median(costs):.1f} | {min(costs):.1f}-{max(costs):.1f} | {more} |", flush=True)


def sizes(bench: Bench) -> None:
    """By the size of the question."""
    with bench.model() as model, bench.house(model) as house:
        bench.once(house, "warm", 16, bench.body(), "answers")

        def turn() -> None:
            for kb in (0.25, 1, 4, 16, 64, 96):
                bench.once(house, f"{kb:g} KB", 16, bench.body(int(kb * 1024)), "answers")

        bench.rounds(turn)
        house.costs.pop("warm")
        table("question", "a request", [(name, costs, "") for name, costs in house.costs.items()])


def callers(bench: Bench) -> None:
    """By the number of callers at once."""
    with bench.model() as model, bench.house(model) as house:
        bench.once(house, "warm", 16, bench.body(), "answers")
        memory: dict[str, str] = {}

        def turn() -> None:
            for count in (1, 8, 64, 512, 2000):
                bench.once(house, f"{count:,}", count, bench.body(), "answers")
                memory[f"{count:,}"] = f"{house.memory_mb():.0f} MB"

        bench.rounds(turn)
        house.costs.pop("warm")
        table("callers at once", "a request", [(name, costs, memory[name]) for name, costs in house.costs.items()])


def lengths(bench: Bench) -> None:
    """By the number of events of a stream, with the same number of events a second."""
    rows = []
    for events in (10, 100, 1000, 10_000):
        interval = LONG if events < 1000 else 1000
        streams = 100 if events < 1000 else 2
        with bench.model(events, interval) as model, bench.house(model) as house:
            bench.once(house, "warm", 2, bench.body(stream=True), "events")
            name = f"{events:,} events"
            bench.rounds(lambda: bench.once(house, name, streams, bench.body(stream=True), "events"))  # noqa: B023
            rows.append((name, house.costs[name], f"{house.memory_mb():.0f} MB"))
    table("length of a stream", "an event", rows)


def rules(bench: Bench) -> None:
    """By the rules of an operator's own, beside those that ship."""
    texts = (
        ("the default policy", []),
        ("and 10 policies, 100 regexes, 1,000 words", own(10, 100, 1000)),
        ("and 30 policies, 500 regexes, 10,000 words", own()),
    )
    with bench.model() as model:
        houses = []
        for name, chosen in texts:
            path = bench.folder / f"{len(chosen)}.yaml"
            from akto_proxy.cli import build

            whole = [
                one.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
                for one in [*build.pack("default"), *chosen]
            ]
            path.write_text(yaml.safe_dump({"version": 1, "policies": whole}))
            context = bench.house(model, POLICY_FILE=str(path))
            houses.append((name, context.__enter__(), context))
        try:
            for name, house, _ in houses:
                bench.once(house, name, 16, bench.body(), "answers")
                house.costs.clear()
            bench.rounds(lambda: [bench.once(house, name, 16, bench.body(), "answers") for name, house, _ in houses])
            table(
                "rules",
                "a request",
                [(name, house.costs[name], f"{house.memory_mb():.0f} MB") for name, house, _ in houses],
            )
        finally:
            for _, _, context in houses:
                context.__exit__(None, None, None)


def workers(bench: Bench) -> None:
    """By the number of workers; they share both cores with load and model server."""
    rows = []
    for count in (1, 2):
        with bench.model() as model, bench.house(model, workers=count) as house:
            bench.once(house, "warm", 32, bench.body(), "answers")
            bench.rounds(lambda: bench.once(house, "cost", 32, bench.body(), "answers"))
            rows.append((f"{count}", house.costs["cost"], f"{house.memory_mb():.0f} MB"))
    table("workers", "a request", rows)


TABLES = {"sizes": sizes, "callers": callers, "lengths": lengths, "rules": rules, "workers": workers}


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--only", choices=sorted(TABLES), action="append", default=[])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="akto-growth-") as name:
        bench = Bench(Path(name), options)
        for which, make in TABLES.items():
            if not options.only or which in options.only:
                make(bench)


if __name__ == "__main__":
    main()
