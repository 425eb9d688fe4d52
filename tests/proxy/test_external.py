from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from akto_proxy.model import Direction, Finding, Role, Segment
from akto_proxy.policy.clause import ALL_ROLES, ExternalCheck
from akto_proxy.policy.rules import External
from akto_proxy.proxy import external
from akto_proxy.proxy.external import ExternalChecks, pieces, public, question, verdict

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


@pytest.mark.parametrize(
    ("address", "answer"),
    [("8.8.8.8", True), ("127.0.0.1", False), ("10.1.2.3", False), ("169.254.169.254", False), ("::1", False),
     ("::ffff:10.0.0.1", False), ("2002:7f00:1::", False), ("fe80::1%eth0", False), ("2606:4700::1111", True)],
)  # fmt: skip
def test_public_addresses(address, answer):
    assert public(address) is answer
