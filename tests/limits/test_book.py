"""What a call asks for, whatever keeps the buckets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from akto_proxy.limits.book import MOST_TOOLS, Book, Call, Grant
from akto_proxy.limits.schema import parse_limits
from akto_proxy.model import Caller, Trace

CALL = Call(Caller(ip="10.0.0.1", key="k"), "e", "/v1/chat/completions", 400)


def _book(*entries: dict[str, Any], secret: bytes = b"s") -> Book:
    return Book(parse_limits(entries), secret, lambda key: True)


def test_head_and_body_ask_for_each_limit_once() -> None:
    book = _book({"name": "k", "limit": 1, "by": ["key"]}, {"name": "m", "limit": 1, "by": ["model"]})
    assert [limit.name for limit in book.request(CALL).limits] == ["k"]
    assert [limit.name for limit in book.late(CALL, "a", ()).limits] == ["m"]
    assert book.has_late


def test_a_limit_by_model_and_tool_is_asked_for_each_tool() -> None:
    book = _book({"name": "t", "limit": 5, "by": ["model", "tool"], "only": {"tool": ["sh*"]}})
    first, other = book.late(CALL, "a", ("shell", "search", "sh")), book.late(CALL, "b", ("shell",))
    assert first.tools == ("shell", "sh")
    assert first.asks[0].key != other.asks[0].key
    assert not book.late(CALL, "a", ()).asks


def test_offered_tools_cannot_grow_a_decision() -> None:
    book = _book({"name": "t", "limit": 5, "by": ["tool"]})
    assert len(book.late(CALL, "a", [str(number) for number in range(1000)]).asks) == MOST_TOOLS


def test_bucket_names_depend_on_the_secret() -> None:
    entry = {"name": "k", "limit": 1, "by": ["key"]}
    assert _book(entry).request(CALL).asks[0].key != _book(entry, secret=b"other").request(CALL).asks[0].key


def test_an_undone_call_gives_everything_back(trace: Callable[..., Trace]) -> None:
    entry = {"name": "k", "limit": 1, "by": ["key"]}
    book = _book(entry, {"name": "t", "count": "tokens", "limit": 1000, "by": ["key"]})
    request = book.request(CALL)
    grant = Grant(CALL, "", request.limits, request.asks, [0, 1], request.tools, undone=True)
    given = [(item.hold, item.charge) for item in book.settle(grant, trace(10, 10))]
    assert given == [(0, -request.asks[0].charge), (request.asks[1].hold, 0)]
