from typing import Any

from akto_proxy.errors import UpstreamError


def chat(text: str, **more: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": text}], **more}


def finish(exchange: Any, status: int = 200) -> Any:
    return exchange.trace(status=status, client_gone=False, first_byte=1, upstream_first=1, total=2)


def test_an_upstream_that_cannot_be_reached_says_so(path: Any):
    exchange, _ = path.send(chat("hi"))
    refusal = exchange.fail(UpstreamError("no route", reason="unreachable"))
    assert refusal.status == 502
    assert b"cannot be reached" in refusal.body
    assert finish(exchange, 502).outcome == "upstream_unreachable"
    exchange, _ = path.send(chat("hi"))
    assert exchange.fail(UpstreamError("slow", reason="first_byte_timeout")).status == 504


def test_a_sampled_policy_sees_the_calls_its_ticket_draws(make_path):
    policy = "version: 1\npolicies: [{name: some, sample: 0.25, rules: [{words: [spade], action: alert}]}]"
    for drawn, seen in ((0.1, 1), (0.24, 1), (0.25, 0), (0.9, 0)):
        exchange, _ = make_path(policy, draw=lambda drawn=drawn: drawn).send(
            {"messages": [{"role": "user", "content": "a spade"}]}
        )
        exchange.head(200, [(b"Content-Type", b"application/json")])
        exchange.body(b'{"choices":[{"message":{"role":"assistant","content":"a spade"}}]}')
        decisions = exchange.trace(status=200, client_gone=False, first_byte=1, upstream_first=1, total=2).decisions
        assert len(decisions) == 2 * seen, "one draw decides for the request and its answer"


def test_without_a_sampled_policy_nothing_is_drawn(make_path):
    exchange, _ = make_path(None, draw=lambda: 1 / 0).send({"messages": [{"role": "user", "content": "hi"}]})
    assert exchange.id
