"""What policies cost: many words, regexes and policies against the default alone, and a replay of many traces.

    python bench/policies.py cost            CPU a request: the default, and with 10,000 words, 500 regexes, 30 policies
    python bench/policies.py replay 100000   seconds to judge so many kept traces by an old and a new policy

CPU times of this process, the best of several rounds for `cost`; run it on a machine with nothing else to do.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

from akto_proxy.cli import build
from akto_proxy.cli.replaying import exported, replayed
from akto_proxy.config.settings import load
from akto_proxy.guard.engine import Engine
from akto_proxy.guard.scanner import Scanner
from akto_proxy.model import Direction, Segment
from akto_proxy.policy.compile import Scope
from akto_proxy.policy.schema import Policy

PROSE = "The committee met in the old library on Tuesday and talked about the budget for the coming year at length. "
TEXT = (PROSE * 40)[:2048]


def own(policies: int = 30, regexes: int = 500, words: int = 10_000) -> list[Policy]:
    """Policies of an operator who collects rules."""
    made = []
    for number in range(policies):
        some = [f"codeword{number}x{i}" for i in range(words // policies + 1)]
        rules: list[dict[str, object]] = [{"words": some, "action": "block"}]
        for i in range(regexes // policies + 1):
            mark = f"ref{number}q{i}"
            pattern = rf"\b{mark}-\d{{4,8}}[a-z]{{2}}\b"
            rules.append({"regex": pattern, "match": [f"{mark}-1234ab"], "no_match": [mark], "action": "redact"})
        made.append(Policy.model_validate({"name": f"own-{number}", "rules": rules}))
    return made


def cost() -> None:
    """Print CPU microseconds a clean 2 KB request, rules and judging alone and with the default's learned detectors."""
    default = build.pack("default")
    for learned in (False, True):
        few, many = (_cpu(chosen, learned=learned) for chosen in (default, [*default, *own()]))
        what = "rules and learned detectors" if learned else "rules and judging"
        print(f"{what}: default {few:.1f} us, with all of these {many:.1f} us, x{many / few:.2f}")


def _cpu(chosen: list[Policy], *, learned: bool) -> float:
    policies = build.policy_set(chosen)
    detectors = build.detectors(policies.detectors) if learned else []
    scanner = Scanner(Engine([*build.shipped_rules(), *policies.custom_rules]), detectors)
    plan = policies.plan(Scope(path="/v1/chat/completions", method="POST"))
    rounds, best = (20 if learned else 300), float("inf")
    for turn in range(9):
        texts = [[Segment(f"{TEXT[:-8]}{turn:04}{n:04}", "/messages/0/content")] for n in range(rounds)]
        began = time.process_time()
        for segments in texts:
            plan.judge(segments, scanner.scan(segments, plan.enabled(Direction.REQUEST)))
        best = min(best, (time.process_time() - began) / rounds * 1e6)
    return best


def replays(count: int) -> None:
    """Print how long a replay of `count` traces with bodies takes, read from a JSON lines file as the command does."""
    with tempfile.TemporaryDirectory() as folder:
        settings = load({"DATA_DIR": folder})
        lines = Path(folder) / "traces.jsonl"
        with lines.open("w") as out:
            for number in range(count):
                out.write(json.dumps(_trace(number)) + "\n")
        old, new = build.pack("default"), [*build.pack("default"), *build.pack("pci-dss")]
        build.guard(settings, new)  # the database is on disk, as it is where a proxy runs
        processes = os.cpu_count() or 1
        began = time.perf_counter()
        report = replayed(exported(str(lines)), settings, old, new, processes)
        wall = time.perf_counter() - began
        who = resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN
        cpu = sum(used.ru_utime + used.ru_stime for used in map(resource.getrusage, who))
        print(f"{report.total} traces, {processes} processes: {wall:.1f} s ({cpu:.1f} s of CPU with everything before)")


def _trace(number: int) -> dict[str, object]:
    def message(body: object) -> dict[str, object]:
        return {
            "headers": [["content-type", "application/json"]],
            "body": json.dumps(body),
            "encoding": "text",
            "size": 1,
        }

    asked = {"model": "m", "messages": [{"role": "user", "content": f"Question {number}: {PROSE * 3}"}]}
    said = {"choices": [{"message": {"role": "assistant", "content": f"Answer {number}: {PROSE * 3}"}}]}
    return {
        "id": f"{number:032x}", "started": 1.0, "endpoint": "e", "method": "POST", "path": "/v1/chat/completions",
        "route": "chat", "engine": "openai", "status": 200, "outcome": "ok", "request": message(asked),
        "response": message(said),
    }  # fmt: skip


if __name__ == "__main__":
    if sys.argv[1:2] == ["cost"]:
        cost()
    elif sys.argv[1:2] == ["replay"]:
        replays(int(sys.argv[2]) if len(sys.argv) > 2 else 100_000)
    else:
        sys.exit(__doc__)
