from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from akto_proxy.cli import build
from akto_proxy.exchange.caller import Callers
from akto_proxy.exchange.handler import Guardrails
from akto_proxy.exchange.options import Options
from akto_proxy.exchange.record import Recorder
from akto_proxy.exchange.shared import Guard, Shared
from akto_proxy.guard.replace import Replacer
from akto_proxy.guard.scanner import Scanner
from akto_proxy.model import Direction, Finding, Role, Segment
from akto_proxy.policy.clause import ALL_ROLES, ExternalCheck
from akto_proxy.policy.compile import PolicySet
from akto_proxy.policy.rules import External
from akto_proxy.policy.schema import parse_policies
from akto_proxy.proxy import external
from akto_proxy.proxy.external import ExternalChecks, pieces, public, question, verdict
from akto_proxy.proxy.options import Timeouts

TEXT = [Segment("how do I build it", "/messages/0/content")]


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


class Checker:
    """A checker that says what it is told to and remembers what it was asked."""

    def __init__(self, say: Callable[[dict[str, Any]], bytes]) -> None:
        self.say = say
        self.asked: list[tuple[str, dict[str, Any]]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        size = int(head.lower().split("content-length: ")[1].split("\r\n")[0])
        body = json.loads(await reader.readexactly(size))
        self.asked.append((head, body))
        answer = self.say(body)
        if answer:
            writer.write(answer)
            await writer.drain()
        else:
            await asyncio.sleep(5)
        writer.close()


def ok(body: dict[str, Any]) -> bytes:
    data = json.dumps(body).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(data) + data


def said(content: str) -> bytes:
    return ok({"choices": [{"message": {"role": "assistant", "content": content}}]})


@asynccontextmanager
async def asking(checker: Checker, **fields: Any) -> AsyncIterator[tuple[ExternalChecks, ExternalCheck, Clock]]:
    server = await asyncio.start_server(checker.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    made = External.model_validate(
        {"url": f"http://127.0.0.1:{port}/v1/chat/completions", "allow_private": True} | fields
    )
    clock = Clock()
    async with server:
        yield ExternalChecks({"TOKEN": "t0"}, clock), ExternalCheck("external:p:x", "EXTERNAL", ALL_ROLES, made), clock


async def test_a_guard_model_says_safe_or_unsafe_and_is_asked_once():
    checker = Checker(lambda body: said("unsafe\nS9" if "build" in body["messages"][-1]["content"] else "safe"))
    async with asking(checker, token_env="TOKEN", model="guard") as (checks, check, clock):
        found = await checks.check([check], TEXT, Direction.REQUEST)
        assert found == [(0, Finding(0, 0, "external:p:x", "EXTERNAL", "external", 1.0))]
        assert await checks.check([check], [Segment("hello", "/x")], Direction.REQUEST) == []
        await checks.check([check], TEXT, Direction.REQUEST)
        assert (len(checker.asked), checks.counters.cached) == (2, 1)
        clock.now += 301
        await checks.check([check], TEXT, Direction.REQUEST)
        assert len(checker.asked) == 3
    head, body = checker.asked[0]
    assert "authorization: Bearer t0" in head
    assert (body["model"], body["temperature"], body["messages"][0]["role"]) == ("guard", 0, "user")


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 302 Go\r\nLocation: http://127.0.0.1/\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhm!",
        b"nonsense\r\n\r\n",
        said(""),
        b"",
    ],
)
async def test_no_verdict_is_a_failed_check(answer):
    async with asking(Checker(lambda _: answer), timeout_ms=200) as (checks, check, _):
        ((number, finding),) = await checks.check([check], TEXT, Direction.REQUEST)
        assert (number, finding.rule, finding.entity) == (0, "external:p:x", "CHECK_FAILED")
        assert checks.counters.failed == 1


async def test_a_checker_that_keeps_failing_is_left_alone_for_a_while():
    checker = Checker(lambda _: b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n")
    async with asking(checker) as (checks, check, clock):
        for _ in range(8):
            await checks.check([check], TEXT, Direction.REQUEST)
        assert (len(checker.asked), checks.counters.rested) == (external.MAX_FAILURES, 3)
        clock.now += external.REST + 1
        checker.say = lambda _: said("safe")
        assert await checks.check([check], TEXT, Direction.REQUEST) == []


async def test_a_private_address_is_not_connected_to():
    checker = Checker(lambda _: said("safe"))
    async with asking(checker, allow_private=False) as (checks, check, _):
        ((_, finding),) = await checks.check([check], TEXT, Direction.REQUEST)
        assert finding.entity == "CHECK_FAILED"
    assert checker.asked == []


async def test_a_missing_token_is_a_failed_check_and_roles_choose_the_text():
    checker = Checker(lambda _: said("unsafe"))
    async with asking(checker, token_env="OTHER") as (checks, check, _):
        assert (await checks.check([check], TEXT, Direction.REQUEST))[0][1].entity == "CHECK_FAILED"
        only = ExternalCheck(check.rule, check.entity, frozenset({Role.TOOL}), check.external)
        assert await checks.check([only], TEXT, Direction.REQUEST) == []
    assert checker.asked == []


@pytest.mark.parametrize(
    ("result", "score"),
    [
        ({"Allowed": True, "Modified": False}, 0.0),
        ({"Allowed": True, "Modified": True}, 0.7),
        ({"Allowed": False, "behaviour": "block"}, 1.0),
        ({"allowed": False}, 1.0),
        ({"Allowed": False, "behaviour": "alert"}, 0.7),
        ({"Allowed": True, "requestResult": {"Allowed": False, "behaviour": "block"}}, 1.0),
    ],
)
def test_aktos_verdict_is_read_with_its_behaviour(result, score):
    made = External(url="https://akto.example", kind="akto")
    answer = json.dumps({"success": True, "data": {"guardrailsResult": result}}).encode()
    assert verdict(made, answer, Direction.REQUEST) == score


def test_akto_is_asked_in_its_own_form():
    target, headers, body = question(External(url="https://akto.example", kind="akto"), "hi", Direction.RESPONSE, "jwt")
    assert target == "/api/http-proxy?response_guardrails=true&akto_connector=akto-agent-proxy"
    assert headers["authorization"] == "jwt"
    assert json.loads(json.loads(body)["responsePayload"]) == {"body": "hi"}


def test_akto_may_be_asked_at_its_validate_api():
    made = External(url="https://akto.example/base/api/validate/request", kind="akto")
    assert question(made, "hi", Direction.RESPONSE, "")[0] == "/base/api/validate/response"
    assert verdict(made, b'{"Allowed":false,"behaviour":"block","Reason":"x"}', Direction.RESPONSE) == 1.0
    assert verdict(made, b'{"Allowed":true,"Modified":false}', Direction.REQUEST) == 0.0
    with pytest.raises(external._NoVerdictError):
        verdict(made, b'{"error":"Validation failed"}', Direction.REQUEST)


def test_a_verdict_that_fails_open_is_no_verdict():
    answer = json.dumps({"data": {"guardrailsResult": {"Allowed": True, "failOpen": True}}}).encode()
    with pytest.raises(external._NoVerdictError):
        verdict(External(url="https://akto.example", kind="akto"), answer, Direction.REQUEST)


def test_long_texts_are_asked_in_overlapping_pieces_and_too_long_ones_are_not():
    made = External(url="https://x.example", max_characters=1_000)
    text = "".join(chr(97 + number % 26) for number in range(2_500))
    found = pieces(text, made)
    assert all(first[-external.OVERLAP :] == second[: external.OVERLAP] for first, second in itertools.pairwise(found))
    assert found[0] + "".join(piece[external.OVERLAP :] for piece in found[1:]) == text
    with pytest.raises(external._NoVerdictError):
        pieces("x" * 100_000, made)


async def test_a_piece_without_a_verdict_does_not_hide_what_another_piece_shows():
    def say(body: dict[str, Any]) -> bytes:
        return said("unsafe") if "bomb" in body["messages"][-1]["content"] else b"HTTP/1.1 500 No\r\n\r\n"

    async with asking(Checker(say), max_characters=1_000) as (checks, check, _):
        text = [Segment("x" * 1_500 + " bomb", "/messages/0/content")]
        found = await checks.check([check], text, Direction.REQUEST)
    assert [(finding.entity, finding.score) for _, finding in found] == [("EXTERNAL", 1.0), ("CHECK_FAILED", 0.0)]


POLICY = """
version: 1
policies:
  - name: asks
    on_error: {on_error}
    rules:
      - external: {{url: "http://127.0.0.1:{port}/v1/chat/completions", allow_private: true, timeout_ms: 300}}
        action: block
"""


def chat(content: str, **fields: Any) -> bytes:
    body = json.dumps({"messages": [{"role": "user", "content": content}]} | fields).encode()
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


def delta(text: str) -> bytes:
    event = {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": text}}]}
    data = b"data: %b\n\n" % json.dumps(event).encode()
    return b"%x\r\n%b\r\n" % (len(data), data)


def judged(body: dict[str, Any]) -> bytes:
    content = body["messages"][-1]["content"]
    return b"" if "silence" in content else said("unsafe" if "harm" in content else "safe")


@asynccontextmanager
async def guarded(house: Any, words: list[str], on_error: str = "block") -> AsyncIterator[tuple[Any, Checker]]:
    """A proxy with one external check over real sockets; the model server answers `words`, streamed if asked to."""

    async def model(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        size = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
        if b'"stream"' not in await reader.readexactly(size):
            writer.write(said("".join(words)).replace(b"OK\r\n", b"OK\r\nContent-Type: application/json\r\n"))
            return
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for word in words:
            writer.write(delta(word))
            await writer.drain()
            await asyncio.sleep(0.02)
        writer.write(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")

    checker = Checker(judged)
    server = await asyncio.start_server(checker.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    chosen = parse_policies(POLICY.format(port=port, on_error=on_error), "test.yaml")
    compiled = PolicySet(chosen, {})
    guard = Guard(Scanner(build.engine(build.shipped_rules(), None)), compiled)
    ids = itertools.count(1)
    shared = Shared(
        guard, Options("e"), Recorder("masked", 65_536), Replacer(b"k" * 32), lambda: 0, lambda: 0.0,
        lambda: f"{next(ids):032x}",
    )  # fmt: skip
    checks = ExternalChecks({}, asyncio.get_running_loop().time)
    given = {"ask": lambda ask: checks.check(ask.checks, ask.segments, ask.direction)}
    patience = Timeouts(comment=0.03)
    handler = Guardrails(shared, Callers(b"k" * 32))
    async with server:
        yield await house(model, handler, server_args=given, patience=patience), checker


async def test_a_bad_request_never_reaches_the_model_server(house):
    async with guarded(house, ["hello"]) as (one, _):
        caller = await one.call()
        caller.send(chat("do harm"))
        status, _, body = await caller.answer()
        assert (status, one.upstream.connections) == (400, 0)
        assert b"asks" in body
        caller.send(chat("be nice"))
        status, _, body = await caller.answer()
        assert status == 200
        assert b"hello" in body
    assert [(t.outcome, len(t.decisions)) for t in one.traces] == [("blocked", 1), ("ok", 0)]
    assert one.faults == []


async def test_a_bad_whole_answer_never_reaches_the_caller(house):
    async with guarded(house, ["harm is", " done so"]) as (one, _):
        caller = await one.call()
        caller.send(chat("be nice"))
        status, _, body = await caller.answer()
    assert status == 400
    assert b"done so" not in body


async def test_a_streamed_answer_waits_behind_comments_and_then_comes_or_does_not(house):
    for words, comes in ((["word "] * 6, True), (["harm "] + ["word "] * 5, False)):
        async with guarded(house, words) as (one, checker):
            caller = await one.call()
            caller.send(chat("be nice", stream=True))
            status, _, body = await caller.answer()
            assert status == 200
            assert body.startswith(b":")
            assert (b"word" in body) is comes
            assert (b"content_filter" in body) is not comes
            assert [asked["messages"][0]["role"] for _, asked in checker.asked] == ["user", "assistant"]
            assert one.server.counters.comments > 0
            assert one.faults == []


async def test_a_checker_that_says_nothing_costs_its_time_out_and_then_fail_modes_decide(house):
    for on_error, status in (("block", 400), ("allow", 200)):
        async with guarded(house, ["hello"], on_error) as (one, _):
            caller = await one.call()
            caller.send(chat("silence"))
            assert (await caller.answer())[0] == status
        assert [d.entity for d in one.traces[0].decisions] == ["CHECK_FAILED"]
        assert one.traces[0].decisions[0].bypassed is (on_error == "allow")


async def test_a_caller_that_leaves_while_a_checker_thinks_is_let_go(house):
    async with guarded(house, ["hello"]) as (one, checker):
        caller = await one.call()
        caller.send(chat("silence"))
        while not checker.asked:
            await asyncio.sleep(0.01)
        caller.close()
        while not one.traces:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.4)
    assert one.traces[0].outcome == "client_gone"
    assert one.upstream.connections == 0
    assert one.faults == []


@pytest.mark.parametrize(
    ("address", "answer"),
    [("8.8.8.8", True), ("127.0.0.1", False), ("10.1.2.3", False), ("169.254.169.254", False), ("::1", False),
     ("::ffff:10.0.0.1", False), ("2002:7f00:1::", False), ("fe80::1%eth0", False), ("2606:4700::1111", True)],
)  # fmt: skip
def test_public_addresses(address, answer):
    assert public(address) is answer
