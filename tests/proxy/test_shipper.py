"""The shipper against the real collector over an in-process transport, and against servers that say no."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

import httpx
import orjson
import pytest

from akto_proxy.collector.app import create_app
from akto_proxy.model import Action, Caller, Decision, Direction, Message, Severity, Timing, Trace, Usage
from akto_proxy.proxy.ship_targets import AktoOptions, AktoTarget, CollectorTarget, ShipError, failure
from akto_proxy.proxy.shipper import Shipper, ShipperOptions
from akto_proxy.spool.audit import Entry, Signer, Verifier
from akto_proxy.spool.frame import Frame, Kind
from akto_proxy.spool.layout import segments, writers
from akto_proxy.spool.writer import Spool, SpoolOptions
from akto_proxy.store.control_sql import SqlControlStore
from akto_proxy.store.sqlite import SqliteStore


class Clock:
    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


def trace(number: int) -> Trace:
    decision = Decision("p", "email", "pii", "EMAIL_ADDRESS", Severity.HIGH, Action.REDACT, Direction.REQUEST)
    return Trace(
        f"{number:032x}", 1_700_000_000.0 + number, "e.example", "POST", "/v1/chat/completions", "openai-chat", "vllm",
        200, "ok", Action.REDACT, caller=Caller(user="u", session="s"), usage=Usage(3, 4), timing=Timing(10, 1),
        request=Message((("host", "x"),), '{"messages":[]}', "text", 10), decisions=(decision,),
    )  # fmt: skip


def record(number: int) -> bytes:
    return orjson.dumps(trace(number))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@pytest.fixture
def store(tmp_path: Path) -> SqliteStore:
    return SqliteStore(tmp_path / "traces.db")


@pytest.fixture
def target(tmp_path: Path, store: SqliteStore) -> CollectorTarget:
    control = SqlControlStore(f"sqlite:///{tmp_path}/control.db", random=os.urandom)
    app = create_app(store, control, now=Clock(), random=os.urandom, local_token="secret")
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://c")
    return CollectorTarget(client, "http://c", "secret")


async def no_sleep(_seconds: float) -> None:
    await asyncio.sleep(0)


def ship(root: Path, target: object, **options: int) -> Shipper:
    made = ShipperOptions(**options)  # type: ignore[arg-type]
    return Shipper(root, target, made, clock=Clock(), random=lambda: 0.5, sleep=no_sleep)  # type: ignore[arg-type]


def new_spool(root: Path, name: str = "w1", **options: object) -> Spool:
    return Spool(root, SpoolOptions(**options), clock=Clock(), name=name, signer=Signer(b"s" * 32))  # type: ignore[arg-type]


async def everything(shipper: Shipper) -> None:
    while await shipper.round():
        pass


async def test_every_record_arrives_once_and_its_chain_with_it(
    root: Path, target: CollectorTarget, store: SqliteStore
) -> None:
    spool = new_spool(root, segment_bytes=20_000, checkpoint_every=10)
    for number in range(100):
        spool.append(record(number))
    shipper = ship(root, target, batch_bytes=5_000)
    await everything(shipper)
    for number in range(100, 150):
        spool.append(record(number))
    spool.close()
    await everything(shipper)
    assert store.count() == 150
    assert store.get(f"{149:032x}") == trace(149)
    verifier = Verifier("w1", [Signer(b"s" * 32).public])
    for link, body, kind in store.links("w1"):
        verifier.add(Entry(kind, link.number, bytes.fromhex(link.digest), bytes.fromhex(link.chain), body))
    report = verifier.finish()
    assert report.ok, report.problems
    assert report.records == 150
    assert report.signed_to > 0
    assert writers(root) == [], "a writer that is gone leaves nothing behind once all is delivered"


async def test_a_live_writers_delivered_segments_are_removed_but_its_last(root: Path, target: CollectorTarget) -> None:
    spool = new_spool(root, segment_bytes=5_000)
    for number in range(60):
        spool.append(record(number))
    await everything(ship(root, target))
    assert len(segments(spool.directory)) == 1
    spool.close()


async def test_records_sent_again_after_a_lost_cursor_are_kept_once(
    root: Path, target: CollectorTarget, store: SqliteStore
) -> None:
    spool = new_spool(root)
    for number in range(20):
        spool.append(record(number))
    await everything(ship(root, target))
    (spool.directory / "cursor").unlink()
    await everything(ship(root, target))
    assert store.count() == 20
    spool.close()


class Fake:
    """A server that fails as told, then takes what comes."""

    name = "a server"

    def __init__(self, *errors: ShipError, poison: int = -1) -> None:
        self.errors, self.poison = list(errors), poison
        self.taken: list[int] = []

    async def check(self) -> None:
        return None

    async def send(self, writer: str, frames: Sequence[Frame]) -> Sequence[int]:
        if self.errors:
            raise self.errors.pop(0)
        if any(frame.number == self.poison for frame in frames):
            raise failure(self.name, 422, httpx.Headers())
        self.taken += [frame.number for frame in frames if frame.kind is Kind.TRACE]
        return []


@pytest.mark.parametrize(
    ("status", "state"),
    [(401, "unauthorized"), (403, "unauthorized"), (404, "wrong_address"), (429, "throttled"), (503, "server_error")],
)
async def test_a_server_that_says_no_is_asked_again_and_nothing_is_lost(root: Path, status: int, state: str) -> None:
    spool = new_spool(root)
    for number in range(10):
        spool.append(record(number))
    error = failure("a server", status, httpx.Headers({"retry-after": "3"}))
    assert error.state == state
    fake = Fake(error, error, error)
    shipper = ship(root, fake)
    await everything(shipper)
    assert len(fake.taken) == 10
    assert shipper.stats.retries == 3
    assert shipper.stats.state == "ok"
    spool.close()


async def test_no_wait_is_longer_than_asked_however_long_a_server_is_away(root: Path) -> None:
    spool = new_spool(root)
    spool.append(record(1))
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    fake = Fake(*[ShipError("away", "unreachable")] * 20)
    options = ShipperOptions(first_wait=0.25, longest_wait=1.0)
    shipper = Shipper(root, fake, options, clock=Clock(), random=lambda: 1.0, sleep=sleep)
    await everything(shipper)
    assert waits == [0.25, 0.5, *[1.0] * 18]
    assert len(fake.taken) == 1
    spool.close()


async def test_one_poisoned_record_is_set_aside_and_the_rest_goes_on(root: Path) -> None:
    spool = new_spool(root)
    for number in range(33):
        spool.append(record(number))
    fake = Fake(poison=7)
    shipper = ship(root, fake)
    await everything(shipper)
    assert len(fake.taken) == 32
    assert shipper.stats.refused == 1
    assert len(list((root / "quarantine").iterdir())) == 1
    spool.close()


async def test_a_corrupt_record_in_the_middle_is_quarantined_and_counted(
    root: Path, target: CollectorTarget, store: SqliteStore
) -> None:
    spool = new_spool(root)
    for number in range(30):
        spool.append(record(number))
    spool.close()
    path = segments(spool.directory)[0]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(bytes(data))
    shipper = ship(root, target)
    await everything(shipper)
    assert store.count() == 29
    assert shipper.stats.damaged == 1
    assert len(list((root / "quarantine").iterdir())) == 1


async def test_waits_grow_with_jitter_and_honour_retry_after(root: Path) -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    errors = [failure("s", 500, httpx.Headers()) for _ in range(4)]
    errors.append(failure("s", 503, httpx.Headers({"retry-after": "17"})))
    errors.append(failure("s", 401, httpx.Headers()))
    spool = new_spool(root)
    spool.append(record(1))
    shipper = Shipper(root, Fake(*errors), clock=Clock(), random=lambda: 0.5, sleep=sleep)
    await everything(shipper)
    assert waits == [0.25, 0.5, 1.0, 2.0, 17.0, 60.0]
    spool.close()


async def test_memory_stays_flat_and_all_arrives_after_a_long_outage(root: Path) -> None:
    spool = new_spool(root, segment_bytes=200_000)
    for number in range(5_000):
        spool.append(record(number))
    sizes: list[int] = []

    class Counting(Fake):
        async def send(self, writer: str, frames: Sequence[Frame]) -> Sequence[int]:
            sizes.append(sum(len(frame.payload) for frame in frames))
            return await super().send(writer, frames)

    fake = Counting(*(failure("s", 503, httpx.Headers()) for _ in range(20)))
    await everything(ship(root, fake, batch_bytes=100_000))
    assert len(fake.taken) == 5_000
    assert max(sizes) <= 100_000
    spool.close()


async def test_two_shippers_do_not_work_on_one_spool(root: Path) -> None:
    first, second = ship(root, Fake()), ship(root, Fake())
    tasks = [asyncio.create_task(first.run())]
    await asyncio.sleep(0.05)
    tasks.append(asyncio.create_task(second.run()))
    await asyncio.sleep(0.05)
    assert second.stats.state == "waiting"
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_in_akto_mode_our_own_collector_understands_us(
    root: Path, target: CollectorTarget, store: SqliteStore
) -> None:
    spool = new_spool(root)
    for number in range(5):
        spool.append(record(number))
    akto = AktoTarget(target._client, AktoOptions("http://c", "secret"))
    await akto.check()
    for _ in range(2):  # the second time the same batch: kept once, because each message is named
        await everything(ship(root, akto))
        (spool.directory / "cursor").unlink()
    assert store.count() == 5
    found = store.search().items[0]
    # Akto has no word for a redaction: over its form it arrives as an alert.
    assert (found.verdict, found.user, found.session, found.prompt_tokens) == (Action.ALERT, "u", "s", 3)
    spool.close()


async def test_a_trickle_is_gathered_and_a_backlog_is_not_kept_waiting(root: Path) -> None:
    taken: list[int] = []
    spool, fake = new_spool(root), Fake()
    for number in range(40):
        spool.append(record(number))

    async def sleep(seconds: float) -> None:
        assert seconds == 0.2
        taken.append(len(fake.taken))
        if len(taken) == 1:
            spool.append(record(40))
        if len(taken) == 4:
            raise asyncio.CancelledError

    options = ShipperOptions(batch_bytes=5_000, poll=0.2)
    shipper = Shipper(root, fake, options, clock=Clock(), random=lambda: 0.5, sleep=sleep)
    with pytest.raises(asyncio.CancelledError):
        await shipper.run()
    assert 30 < taken[0] <= 40, "of the backlog, only what fills no batch waited"
    assert taken[-1] == 41
