"""Replays weeks of synthetic traffic through the watch, with incidents of each kind whose time is known.

    .venv/bin/python bench/watch.py replay     # detection rate, delay, false alarms a week
    .venv/bin/python bench/watch.py fresh      # the same, on seeds the detectors were not tuned on
    .venv/bin/python bench/watch.py other      # the same, on callers with other habits, growth, ramps and holidays
    .venv/bin/python bench/watch.py batch      # the same, on callers that are machines: jobs, builds, agents, a trickle
    .venv/bin/python bench/watch.py other 2 2100   # seeds and the first of them, for any of these
    .venv/bin/python bench/watch.py speed      # observations a second, one core
    .venv/bin/python bench/watch.py million    # memory for a million callers

100 callers with days, nights, week-ends, a launch (everybody three times as busy for eight hours) and a holiday (a day
at a fifth). Two weeks are learned; in the third each incident is injected once for a caller of its own. What most
callers do together must be told once, about the endpoint; told again, it counts as a false alarm.
"""

from __future__ import annotations

import math
import random
import resource
import sys
import time
from collections import defaultdict

from akto_proxy.watch.observation import Observation
from akto_proxy.watch.watch import Watch

START = 1_699_833_600.0  # a Monday
HOUR, DAY, WEEK = 3600.0, 86_400.0, 604_800.0
CALLERS = 100
FRESH = 2 * WEEK
KINDS = (
    "volume", "tokens", "errors", "refusals", "redactions", "latency", "new-model", "new-tool", "new-country",
    "new-client", "new-entity", "probing", "guardrail-probing", "exfiltration", "build-up", "credential-sharing",
    "silence",
)  # fmt: skip

EFFECTS = {"probing": "guardrail-probing"}  # what the whole endpoint shows of it


class Caller:
    shared = (15.0, 16.0)
    """Days in which most callers become busier together: to be told once, about the endpoint."""

    def __init__(self, number: int, rnd: random.Random) -> None:
        self.name = f"k{number:03d}"
        self.number = number
        self.rate = math.exp(rnd.gauss(math.log(14), 0.8))  # calls an hour at noon
        self.tokens = rnd.uniform(200, 2000)
        self.phase = rnd.uniform(-2, 2)
        self.human = rnd.random() < 0.7
        self.net = number
        self.model = f"model-{number % 3}"
        self.country = rnd.choice(("DE", "FR", "US"))
        self.client = rnd.choice(("python-requests", "openai", "curl"))
        self.slow = rnd.uniform(0.5, 3)
        self.pii = 0.3 if number % 10 == 0 else 0.01

    def hourly(self, at: float) -> float:
        day = (at - START) / DAY
        hour = (at % DAY) / HOUR + self.phase
        rate = self.rate
        if self.human:
            rate *= max(0.02, math.exp(-(((hour - 13) / 4) ** 2)))
            if int(day) % 7 >= 5:
                rate *= 0.15
        if int(day) == 15 and 9 <= (at % DAY) / HOUR < 17:
            rate *= 3  # the launch
        if int(day) == 18:
            rate *= 0.2  # the holiday
        return rate


class Other(Caller):
    """A caller of another world than the detectors were tuned in: two peaks a day, night work, hourly jobs, growth, a
    ramp instead of a launch, three days of holiday, and clocks that change in the third week.
    """

    shared = (15.0, 18.0)

    def __init__(self, number: int, rnd: random.Random) -> None:
        super().__init__(number, rnd)
        self.rate = math.exp(rnd.gauss(math.log(9), 1.1))
        self.way = rnd.choice(("office", "office", "night", "jobs", "always", "bursts"))
        self.growth = rnd.uniform(0.95, 1.2)
        self.noon = rnd.uniform(10, 16)
        self.wobble = rnd.uniform(0.1, 0.4)
        self.rnd = random.Random(number)

    def hourly(self, at: float) -> float:
        day = (at - START) / DAY
        hour = ((at + (HOUR if day > 16 else 0)) % DAY) / HOUR
        rate = self.rate * self.growth ** (day / 7) * math.exp(self.rnd.gauss(0, self.wobble))
        if self.way == "office":
            peaks = math.exp(-(((hour - self.noon + 3) / 2) ** 2)) + math.exp(-(((hour - self.noon - 2) / 2.5) ** 2))
            rate *= max(0.03, peaks) * (0.1 if int(day) % 7 >= 5 else 1.0)
        elif self.way == "night":
            rate *= 1.0 if hour >= 22 or hour < 5 else 0.02
        elif self.way == "jobs":
            rate *= 6.0 if at % HOUR < 600 else 0.05
        elif self.way == "bursts":
            rate *= 4.0 if self.rnd.random() < 0.1 else 0.5
        if 15 <= day < 18:
            rate *= 1 + 0.5 * (day - 14)  # everybody moves over, in three days
        if 18 <= day < 21:
            rate *= 0.15
        return rate


class Batch(Caller):
    """Callers that are machines: a nightly job, a weekly report, builds in office hours, agents that work in fits, a
    trickle. Few are people, so what these do together on the fifteenth day is not shared by most.
    """

    shared = (0.0, 0.0)

    def __init__(self, number: int, rnd: random.Random) -> None:
        super().__init__(number, rnd)
        self.way = rnd.choice(("nightly", "weekly", "builds", "fits", "trickle", "human"))
        self.rnd = random.Random(number * 7 + 1)
        self.minute = rnd.randrange(1440)
        self.size = math.exp(rnd.gauss(math.log(150), 0.7))  # calls of a job
        self.left = 0.0

    def hourly(self, at: float) -> float:
        if self.way == "human":
            return super().hourly(at)
        draw = self.rnd.random()
        minute = (at % DAY) / 60
        office = int((at - START) / DAY) % 7 < 5 and 8 <= minute / 60 < 18
        if self.way == "trickle":
            return 0.2
        if self.way == "nightly":
            self._begin(abs(minute - self.minute) < 2.5 and draw < 0.97)
        elif self.way == "weekly":
            self._begin(int((at - START) / DAY) % 7 == self.number % 7 and abs(minute - self.minute) < 2.5)
        elif self.way == "builds":
            self._begin(draw < (0.06 if office else 0.002), 0.4)
        elif self.way == "fits":
            self._begin(draw < 0.01, math.exp(self.rnd.gauss(-0.5, 0.6)))
        now = min(self.left, self.size / 4)
        self.left -= now
        return 0.1 + now * 12

    def _begin(self, begins: bool, share: float = 1.0) -> None:
        if begins:
            self.left += self.size * share * math.exp(self.rnd.gauss(0, 0.25))


def benign(caller: Caller, at: float, rnd: random.Random, number: int) -> Observation:
    leaks = int(rnd.random() < caller.pii)
    blocked = rnd.random() < 0.003
    error = rnd.random() < 0.01
    net = caller.net if rnd.random() < 0.97 else caller.net + 100
    return Observation(
        id=f"{number:032x}", at=at, endpoint="main", who=f"key:{caller.name}", key=caller.name,
        ip=f"10.{net // 250}.{net % 250}.{rnd.randrange(1, 250)}", agent="",
        session=f"s-{caller.name}-{int(at // 1800)}",
        model=caller.model if rnd.random() > 0.02 else f"model-{rnd.randrange(3)}", country=caller.country,
        client=caller.client, tokens=int(caller.tokens * math.exp(rnd.gauss(0, 0.6))),
        seconds=caller.slow * math.exp(rnd.gauss(0, 0.4)), error=error, blocked=blocked, redacted=leaks > 0,
        flagged=bool(leaks or blocked), risk=0.75 if blocked else 0.0, near=int(rnd.random() < 0.004), leaks=leaks,
        entities=("EMAIL_ADDRESS",) if leaks else (), prompt=rnd.getrandbits(64),
    )  # fmt: skip


def attack(kind: str, caller: Caller, begin: float, rnd: random.Random) -> list[Observation]:
    def one(at: float, **more: object) -> Observation:
        base = benign(caller, at, rnd, rnd.getrandbits(60))
        plain = {"error": False, "blocked": False, "near": 0, "flagged": False, "risk": 0.0} | more
        return Observation(**({name: getattr(base, name) for name in base.__slots__} | plain))

    busy = max(caller.hourly(begin), 4.0)
    span = {"exfiltration": 12 * HOUR}.get(kind, HOUR)
    seed = rnd.getrandbits(64)
    if kind == "volume":
        return [one(begin + i * HOUR / (15 * busy)) for i in range(int(15 * busy))]
    if kind == "tokens":
        return [one(begin + i * 60, tokens=60_000) for i in range(60)]
    if kind == "errors":
        return [one(begin + i * 30, error=True) for i in range(60)]
    if kind == "refusals":
        return [one(begin + i * 30, blocked=True, flagged=True, prompt=rnd.getrandbits(64)) for i in range(40)]
    if kind == "redactions":
        return [one(begin + i * 30, redacted=True, flagged=True) for i in range(40)]
    if kind == "latency":
        return [one(begin + i * 20, seconds=caller.slow * 6) for i in range(180)]
    if kind == "new-model":
        return [one(begin + i * 60, model="stolen-model") for i in range(3)]
    if kind == "new-tool":
        return [one(begin + i * 60, tool="shell") for i in range(3)]
    if kind == "new-country":
        return [one(begin + i * 60, country="KP") for i in range(3)]
    if kind == "new-client":
        return [one(begin + i * 60, client="sqlmap") for i in range(3)]
    if kind == "new-entity":
        return [one(begin + i * 60, entities=("US_SSN",), flagged=True) for i in range(3)]
    if kind == "probing":
        return [
            one(begin + i * 60, blocked=i % 2 == 0, near=1, flagged=True, prompt=seed ^ (1 << rnd.randrange(64)))
            for i in range(15)
        ]
    if kind == "guardrail-probing":
        return [one(begin + i * 60, near=1, flagged=True, prompt=rnd.getrandbits(64)) for i in range(30)]
    if kind == "exfiltration":
        return [
            one(begin + i * 300, leaks=1, flagged=True, tokens=50, entities=("EMAIL_ADDRESS",))
            for i in range(int(span / 300))
        ]
    if kind == "build-up":
        return [one(begin + i * 120, risk=0.2 + 0.1 * i, flagged=True, session="attack") for i in range(8)]
    if kind == "credential-sharing":
        return [one(begin + i * 120, ip=f"203.0.{i}.9") for i in range(20)]
    return []


def traffic(seed: int, until: float, kind_of: type[Caller] = Caller):
    rnd = random.Random(seed)
    callers = [kind_of(number, rnd) for number in range(CALLERS)]
    plan, events = {}, []
    for number, kind in enumerate(KINDS[:-1]):
        begin = START + FRESH + (number % 6) * DAY + rnd.uniform(9, 15) * HOUR
        victim = callers[number * 6 + 1]
        plan[kind] = (begin, f"key:{victim.name}")
        events += attack(kind, victim, begin, rnd)
    quiet = START + FRESH + 6.5 * DAY  # the endpoint falls silent at the very end
    plan["silence"] = (quiet, "")
    number = 0
    step = 300.0
    at = START
    while at < START + until:
        if at < quiet:
            for caller in callers:
                mean = caller.hourly(at) * step / HOUR
                for _ in range(poisson(mean, rnd)):
                    number += 1
                    events.append(benign(caller, at + rnd.random() * step, rnd, number))
        at += step
    events.sort(key=lambda item: item.at)
    return events, plan


def poisson(mean: float, rnd: random.Random) -> int:
    if mean > 30:
        return max(0, round(rnd.gauss(mean, math.sqrt(mean))))
    limit, count, product = math.exp(-mean), 0, rnd.random()
    while product > limit:
        count += 1
        product *= rnd.random()
    return count


def replay(seeds: int, first: int = 0, kind_of: type[Caller] = Caller) -> None:
    found: dict[str, list[float]] = defaultdict(list)
    missed: dict[str, int] = defaultdict(int)
    false: dict[str, int] = defaultdict(int)
    surges = 0
    for seed in range(first, first + seeds):
        events, plan = traffic(seed, 3 * WEEK, kind_of)
        watch = Watch(seed=b"bench")
        alarms, tick = [], START
        began = time.perf_counter()
        for event in events:
            while tick < event.at:
                alarms += watch.tick(tick)
                tick += 60
            alarms += watch.feed(event)
        while tick < START + 3 * WEEK:
            alarms += watch.tick(tick)
            tick += 60
        print(f"seed {seed}: {len(events)} observations in {time.perf_counter() - began:.1f} s", file=sys.stderr)
        times: dict[str, float] = {}
        said = False
        for alarm in alarms:
            if alarm.at < START + FRESH:
                false[f"{alarm.kind} (learning)"] += 1
                continue
            begin, end = (START + day * DAY for day in kind_of.shared)
            if alarm.kind == "surge" and begin <= alarm.at < end and not said:
                said = True
                continue
            cause = cause_of(alarm, plan)
            if cause is None:
                false[alarm.kind] += 1
                if "-v" in sys.argv:
                    print("FALSE", alarm.kind, alarm.subject, (alarm.at - START) / DAY, alarm.expected, "|", alarm.seen)
            elif alarm.kind == cause:
                times.setdefault(cause, alarm.at - plan[cause][0])
        surges += said
        for kind in KINDS:
            if kind in times:
                found[kind].append(times[kind])
            else:
                missed[kind] += 1
    print(f"{'incident':20} {'found':>6} {'median delay':>14}")
    for kind in KINDS:
        delays = sorted(found[kind])
        delay = f"{delays[len(delays) // 2] / 60:.1f} min" if delays else "-"
        print(f"{kind:20} {len(delays):>3}/{seeds:<3} {delay:>13}")
    good = sum(len(item) for item in found.values())
    print(f"found {good}/{seeds * len(KINDS)} ({100 * good / seeds / len(KINDS):.1f} %)")
    weeks = seeds
    print(f"the change that most callers share told in {surges} of {weeks if kind_of.shared[1] else 0} weeks")
    in_use = {kind: count for kind, count in false.items() if "learning" not in kind}
    learning = {kind: count for kind, count in false.items() if "learning" in kind}
    print(f"false alarms a week with {CALLERS} callers: {sum(in_use.values()) / weeks:.2f} {in_use}")
    print(f"in the two weeks of learning, a week: {sum(learning.values()) / weeks / 2:.2f} {learning}")


def cause_of(alarm, plan):
    for kind, (begin, who) in plan.items():
        last = {"exfiltration": 14 * HOUR, "silence": DAY}.get(kind, 3 * HOUR)
        if not begin <= alarm.at <= begin + last:
            continue
        if who and who in alarm.subject:
            return kind
        if alarm.subject == "session attack" and kind == "build-up":
            return kind
        if alarm.subject.startswith("endpoint ") and alarm.kind in (kind, EFFECTS.get(kind)):
            return kind
    return None


def speed() -> None:
    rnd = random.Random(1)
    callers = [Caller(number, rnd) for number in range(1000)]
    events = [benign(callers[i % 1000], START + i * 0.02, rnd, i) for i in range(200_000)]
    best = 0.0
    for _ in range(3):
        watch = Watch()
        began = time.process_time()
        for event in events:
            watch.feed(event)
        best = max(best, len(events) / (time.process_time() - began))
    print(f"{best:,.0f} observations a second of CPU time, 1,000 callers")


def million() -> None:
    watch = Watch()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for turn in range(1_300_000):
        name = f"c{turn % 1_000_000}"
        watch.feed(
            Observation(f"{turn:032x}", START + turn * 0.01, "e", f"key:{name}", key=name, ip=f"10.{turn % 250}.0.1",
                        session=name, model="m", client=name)
        )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        f"1,000,000 callers: {(after - before) / 1024:.0f} MiB more, {watch.sizes()}, state {len(watch.dump()):,} bytes"
    )


if __name__ == "__main__":
    what = sys.argv[1] if len(sys.argv) > 1 else "replay"
    numbers = [int(text) for text in sys.argv[2:] if text.isdigit()]
    worlds = {"replay": (Caller, 0), "fresh": (Caller, 1000), "other": (Other, 2000), "batch": (Batch, 3000)}
    if what in worlds:
        kind_of, first = worlds[what]
        replay(numbers[0] if numbers else 2, numbers[1] if len(numbers) > 1 else first, kind_of)
    elif what == "speed":
        speed()
    else:
        million()
