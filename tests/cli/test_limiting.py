"""Limits as callers meet them: a real proxy with its gate, real sockets, a model server of a few lines."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest

from akto_proxy.cli.gates import Gates
from akto_proxy.cli.limiting import joined, limiting
from akto_proxy.cli.worker import handler, proxy_options
from akto_proxy.config.settings import load
from akto_proxy.exchange.handler import Guardrails
from akto_proxy.limits.learned import Learned, rows_of, write_learned
from akto_proxy.limits.schema import Limit
from akto_proxy.model import Action, Trace
from akto_proxy.proxy.server import Server
from tests_support import free_port

CHAT = "/v1/chat/completions"


@dataclass
class Answer:
    """What a caller got."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Place:
    """A running proxy: call it, and see its traces."""

    port: int
    traces: list[Trace] = field(default_factory=list)
    cancelled: list[bool] = field(default_factory=list)

    async def call(self, path: str = CHAT, *, model: str = "m", tools: tuple[str, ...] = (), **more: Any) -> Answer:
        headers = {"Content-Type": "application/json", **more.pop("headers", {})}
        body: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": "hi"}], **more}
        if path == "/generate":
            body = {"inputs": "hi"}
        if tools:
            body["tools"] = [{"type": "function", "function": {"name": name, "parameters": {}}} for name in tools]
        data = json.dumps(body).encode()
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        lines = [f"POST {path} HTTP/1.1", "Host: x", f"Content-Length: {len(data)}", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + data)
        try:
            raw = await asyncio.wait_for(reader.read(), 20)
        finally:
            writer.close()
        head, _, rest = raw.partition(b"\r\n\r\n")
        first, *others = head.decode("latin-1").split("\r\n")
        found = {name.lower(): value for name, _, value in (line.partition(": ") for line in others)}
        if found.get("transfer-encoding") == "chunked":
            rest = _unchunked(rest)
        return Answer(int(first.split()[1]), found, rest)

    async def statuses(self, times: int, **what: Any) -> list[int]:
        return [(await self.call(**what)).status for _ in range(times)]


def _unchunked(data: bytes) -> bytes:
    out = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        out, data = out + data[: int(size, 16)], data[int(size, 16) + 2 :]
    return out


async def _model(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, cancelled: list[bool]) -> None:
    """Answers as a model server does; `n` of the body is how many tokens it streams, `call` a tool that it calls."""
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            asked = json.loads(await reader.readexactly(length))
            if asked.get("stream"):
                await _stream(writer, asked)
            else:
                _whole(writer, asked)
            await writer.drain()
    except (ConnectionError, asyncio.IncompleteReadError) as error:
        cancelled.append(isinstance(error, ConnectionError))
    finally:
        writer.close()


def _whole(writer: asyncio.StreamWriter, asked: dict[str, Any]) -> None:
    if "inputs" in asked:
        data = json.dumps({"generated_text": "four words of text"}).encode()
    else:
        message: dict[str, Any] = {"role": "assistant", "content": "hello"}
        if "call" in asked:
            message["tool_calls"] = [{"type": "function", "function": {"name": asked["call"], "arguments": "{}"}}]
        usage = {"prompt_tokens": 10, "completion_tokens": 40}
        data = json.dumps({"model": asked.get("model"), "choices": [{"message": message}], "usage": usage}).encode()
    writer.write(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(data), data)
    )


async def _stream(writer: asyncio.StreamWriter, asked: dict[str, Any]) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
    for number in range(asked.get("n", 5)):
        delta = {"content": f"w{number} "}
        event = {"id": "c", "object": "chat.completion.chunk", "model": "m", "choices": [{"index": 0, "delta": delta}]}
        data = b"data: " + json.dumps(event).encode() + b"\n\n"
        writer.write(b"%x\r\n%b\r\n" % (len(data), data))
        await writer.drain()
        await asyncio.sleep(0.002)
    writer.write(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")


@cache
def _guardrails(given: str) -> Guardrails:
    """Built once for all tests of one kind: compiling the rules takes seconds."""
    settings = load({}, None, {"project_name": "p", "data_dir": mkdtemp(), **json.loads(given)})
    return handler(settings)


@asynccontextmanager
async def proxy(folder: Path, *limits: dict[str, Any], **given: Any) -> AsyncIterator[Place]:
    """A proxy with these limits."""
    cancelled: list[bool] = []
    upstream = await asyncio.start_server(lambda r, w: _model(r, w, cancelled), "127.0.0.1", 0)
    url = f"http://127.0.0.1:{upstream.sockets[0].getsockname()[1]}"
    overrides = {
        "app_url": url, "project_name": "p", "data_dir": str(folder), "akto_proxy_port": free_port(),
        "limits": list(limits), "akto_proxy_host": "127.0.0.1", **given,
    }  # fmt: skip
    settings = load({}, None, overrides)
    guardrails = _guardrails(json.dumps(given, default=str))
    limited = limiting(settings, guardrails)
    traces: list[Trace] = []
    server = Server(proxy_options(settings), guardrails, on_trace=traces.append, gate=Gates([limited.gate]))
    await server.start()
    running = asyncio.create_task(limited.run())
    try:
        yield Place(server.port, traces, cancelled)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await server.drain()
        await limited.close()
        upstream.close()


def run(folder: Path, work: Callable[[Place], Awaitable[None]], *limits: dict[str, Any], **given: Any) -> None:
    async def main() -> None:
        async with proxy(folder, *limits, **given) as place:
            await work(place)

    asyncio.run(main())


HEADERS = {"user": "X-User-Id", "team": "X-Team-Id", "agent": "X-Agent-Name", "session": "X-Session-Id"}


@pytest.mark.parametrize("field", ["key", "user", "team", "agent", "session", "ip"])
def test_a_limit_by_who_calls(tmp_path: Path, field: str) -> None:
    def who(value: str) -> dict[str, str]:
        if field == "ip":
            return {"X-Forwarded-For": f"10.0.0.{len(value)}"}
        return {"Authorization": f"Bearer {value}"} if field == "key" else {HEADERS[field]: value}

    async def work(place: Place) -> None:
        assert await place.statuses(3, headers=who("a")) == [200, 200, 429]
        assert await place.statuses(3, headers=who("bb")) == [200, 200, 429]

    run(tmp_path, work, {"name": "l", "limit": 2, "per": "1h", "by": [field]}, trusted_proxies=["127.0.0.0/8"])


def test_a_limit_by_a_combination(tmp_path: Path) -> None:
    async def work(place: Place) -> None:
        for user, model, expected in (("a", "x", 200), ("a", "x", 429), ("a", "y", 200), ("b", "x", 200)):
            answer = await place.call(model=model, headers={"X-User-Id": user})
            assert answer.status == expected

    run(tmp_path, work, {"name": "l", "limit": 1, "by": ["user", "model"]})


def test_a_limit_by_endpoint(tmp_path: Path) -> None:
    async def work(place: Place) -> None:
        assert await place.statuses(2, path="/generate") == [200, 429]
        assert await place.statuses(2) == [200, 429]

    endpoints = [{"name": "native", "paths": ["/generate*"]}, {"name": "chat", "paths": ["/v1/*"]}]
    run(tmp_path, work, {"name": "l", "limit": 1, "by": ["endpoint"]}, endpoints=endpoints)


def test_a_refusal_before_the_body_is_read_says_what_clients_know(tmp_path: Path) -> None:
    async def work(place: Place) -> None:
        await place.call()
        error = (await place.call()).json["error"]
        assert (error["code"], error["type"]) == ("rate_limit_exceeded", "rate_limit_error")

    run(tmp_path, work, {"name": "l", "limit": 1})


def test_a_limit_by_model_and_what_its_refusal_says(tmp_path: Path) -> None:
    async def work(place: Place) -> None:
        assert await place.statuses(1, model="big") == [200]
        answer = await place.call(model="big")
        assert answer.status == 429
        assert answer.json["error"]["code"] == "rate_limit_exceeded"
        assert answer.headers["ratelimit-policy"] == '"m";q=1;qu="requests";w=60'
        assert await place.statuses(1, model="small") == [200]
        assert [trace.outcome for trace in place.traces] == ["ok", "limited", "ok"]
        assert [trace.verdict for trace in place.traces] == [Action.ALLOW, Action.BLOCK, Action.ALLOW]

    run(tmp_path, work, {"name": "m", "limit": 1, "by": ["model"]})


def test_a_limit_by_tool(tmp_path: Path) -> None:
    async def work(place: Place) -> None:
        assert await place.statuses(3, tools=("shell", "search"), call="shell") == [200, 200, 429]
        assert await place.statuses(1, tools=("search",), call="search") == [200]
        assert place.traces[0].tags == (("tool", "shell"),)

    run(tmp_path, work, {"name": "t", "limit": 2, "by": ["tool"]})


@pytest.mark.parametrize(
    ("count", "limit", "expected"),
    [("tokens", 130, [200, 200, 200, 429]), ("prompt_tokens", 45, [200, 200, 200, 429]),
     ("completion_tokens", 60, [200, 200, 429]), ("bytes", 200, [200, 429])],
)  # fmt: skip
def test_limits_on_what_a_call_used(tmp_path: Path, count: str, limit: int, expected: list[int]) -> None:
    """Each call uses 10 + 40 tokens; what a limit has left lets one more call begin."""

    async def work(place: Place) -> None:
        assert await place.statuses(len(expected)) == expected

    run(tmp_path, work, {"name": "l", "count": count, "limit": limit, "per": "1d", "reserve": 1, "by": ["ip"]})


def test_a_limit_on_cost(tmp_path: Path) -> None:
    async def work(place: Place) -> None:
        assert await place.statuses(4) == [200, 200, 200, 429]

    prices = {"*": [1_000_000, 1_000_000]}
    run(tmp_path, work, {"name": "l", "count": "cost", "limit": 130, "per": "1d", "reserve": 1, "prices": prices})


def test_a_token_limit_holds_for_a_model_server_that_reports_none(tmp_path: Path) -> None:
    async def work(place: Place) -> None:
        statuses = await place.statuses(12, path="/generate")
        assert statuses[0] == 200
        assert statuses[-1] == 429
        assert place.traces[0].usage.estimated

    run(tmp_path, work, {"name": "l", "count": "tokens", "limit": 30, "per": "1d", "reserve": 1, "by": ["ip"]})


def test_concurrent_streams(tmp_path: Path) -> None:
    async def work(place: Place) -> None:
        answers = await asyncio.gather(*(place.call(stream=True, n=40) for _ in range(3)))
        assert sorted(answer.status for answer in answers) == [200, 200, 429]
        assert await place.statuses(1) == [200]

    run(tmp_path, work, {"name": "s", "count": "concurrent", "limit": 2, "by": ["ip"]})


def test_shadow_counts_and_refuses_nobody(tmp_path: Path) -> None:
    async def work(place: Place) -> None:
        assert await place.statuses(3) == [200, 200, 200]

    run(tmp_path, work, {"name": "l", "limit": 1, "by": ["ip"], "mode": "shadow"})


@pytest.mark.parametrize("path", [CHAT, "/generate"])
def test_the_refusal_is_in_the_route_s_own_form_with_the_fields_of_the_draft(tmp_path: Path, path: str) -> None:
    async def work(place: Place) -> None:
        assert await place.statuses(2, path=path) == [200, 429]
        answer = await place.call(path)
        assert 1 <= int(answer.headers["retry-after"]) <= 30
        assert answer.headers["ratelimit"] == f'"l";r=0;t={answer.headers["retry-after"]}'
        assert answer.headers["ratelimit-policy"] == '"l";q=2;qu="requests";w=60'
        error = answer.json["error"]
        said = error if path == "/generate" else error["message"]
        assert said.startswith("Limit 'l' is reached: 2 requests in 60 s for each ip.")
        assert place.traces[-1].outcome == "limited"
        assert place.traces[-1].verdict is Action.BLOCK

    run(tmp_path, work, {"name": "l", "limit": 2, "burst": 1, "by": ["ip"]})


def test_a_stream_ends_politely_when_its_budget_does(tmp_path: Path) -> None:
    async def work(place: Place) -> None:
        answer = await place.call(stream=True, n=500)
        assert answer.status == 200
        events = [json.loads(line[6:]) for line in answer.body.split(b"\n\n") if line.startswith(b"data: {")]
        assert 60 <= len(events) <= 120
        last = events[-1]["choices"][0]
        assert last["finish_reason"] == "length"
        assert "Limit 'l' is used up: the answer ends here." in last["delta"]["content"]
        assert answer.body.endswith(b"data: [DONE]\n\n")
        await asyncio.sleep(0.1)
        trace = place.traces[-1]
        assert trace.outcome == "limited"
        assert trace.verdict is Action.BLOCK
        assert [(item.policy, item.rule) for item in trace.decisions] == [("limits", "l")]
        assert trace.usage.estimated
        assert trace.usage.completion >= 60
        assert place.cancelled  # the model server stopped working
        assert (await place.call(stream=True)).status == 429

    run(tmp_path, work, {"name": "l", "count": "tokens", "limit": 100, "per": "1d", "reserve": 10, "by": ["ip"]})


def test_a_stream_within_its_budget_is_whole(tmp_path: Path) -> None:
    async def work(place: Place) -> None:
        answer = await place.call(stream=True, n=30)
        assert answer.body.count(b"data: {") == 30
        assert place.traces[-1].outcome == "ok"

    run(tmp_path, work, {"name": "l", "count": "tokens", "limit": 1000, "per": "1d", "reserve": 10, "by": ["ip"]})


def _learned(limit: int, mode: str = "enforce") -> list[tuple[int, str]]:
    only = {"endpoint": ["*"], "user": ["?*"]}
    entry = {"name": "learned.p.user.requests", "limit": limit, "per": 3600, "by": ["user"], "mode": mode, "only": only}
    return [(2, json.dumps(entry))]


async def _until(place: Place, status: int) -> None:
    """Until a call of a user of its own, who has used nothing, is answered so; at most five seconds."""
    for number in range(50):
        if (await place.statuses(2, headers={"X-User-Id": f"{status}-{number}"}))[1] == status:
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"no second call was answered {status}")


@pytest.mark.parametrize("written", [(), ({"name": "w", "limit": 1000, "by": ["ip"]},)])
def test_a_learned_limit_comes_and_goes_without_a_restart(tmp_path: Path, written: tuple[dict[str, Any], ...]) -> None:
    async def work(place: Place) -> None:
        ann = {"X-User-Id": "ann"}
        assert await place.statuses(3, headers=ann) == [200, 200, 200]
        write_learned(tmp_path, rows_of(_learned(1)))
        await _until(place, 429)
        assert await place.statuses(3) == [200, 200, 200]  # who says no user is counted by none
        write_learned(tmp_path, rows_of(_learned(1, "shadow")))
        await _until(place, 200)
        write_learned(tmp_path, [])
        await asyncio.sleep(0.7)
        assert await place.statuses(3, headers=ann) == [200, 200, 200]

    run(tmp_path, work, *written)


def test_learned_limits_are_in_force_from_the_start_where_they_were_before(tmp_path: Path) -> None:
    write_learned(tmp_path, rows_of(_learned(1)))

    async def work(place: Place) -> None:
        assert await place.statuses(2, headers={"X-User-Id": "ann"}) == [200, 429]

    run(tmp_path, work)


def test_a_written_limit_stands_for_a_learned_one_of_its_name() -> None:
    written = (Limit(name="a", limit=1), Limit(name="b", limit=1))
    learned = (Learned(0, Limit(name="b", limit=9)), Learned(5, Limit(name="c", limit=9)))
    limits, numbers = joined(written, learned)
    assert [limit.name for limit in limits] == ["a", "b", "c"]
    assert numbers == (0, 1, 2 + 5)
