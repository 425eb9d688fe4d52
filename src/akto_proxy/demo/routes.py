"""The routes of the demonstration endpoint: Text Generation Inference's own and OpenAI's.

`respond` maps a request to a Reply: a status and either one body or a list of events to be sent one by one. Ids and
times are constant: it is a demonstration, and tests compare bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from akto_proxy.demo import answers

_CREATED = 1_790_000_000
_Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer. `events` are whole Server-Sent Events; when there are any, `body` is not used."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    events: tuple[bytes, ...] = ()


def respond(method: str, path: str, data: bytes) -> Reply:
    """The answer to one request."""
    if method in ("GET", "HEAD"):
        return _GET.get(path, _missing)({})
    handler = _POST.get(path)
    if method != "POST" or handler is None:
        return _missing({})
    try:
        body = orjson.loads(data)
    except orjson.JSONDecodeError:
        return _wrong("the body is not JSON")
    if not isinstance(body, dict):
        return _wrong("the body is not an object")
    return handler(body)


def _json(value: Any, status: int = 200) -> Reply:
    return Reply(status, orjson.dumps(value))


def _event(value: Any) -> bytes:
    return b"data: " + orjson.dumps(value) + b"\n\n"


def _wrong(message: str) -> Reply:
    return _json({"error": message, "error_type": "validation"}, 422)


def _missing(_: _Body) -> Reply:
    return _json({"error": "the demonstration endpoint has no such route", "error_type": "not_found"}, 404)


def _health(_: _Body) -> Reply:
    return Reply(content_type="text/plain")


def _info(_: _Body) -> Reply:
    return _json({"model_id": answers.MODEL, "demonstration": True, "max_input_tokens": 4096, "version": "0"})


def _models(_: _Body) -> Reply:
    model = {"id": answers.MODEL, "object": "model", "created": _CREATED, "owned_by": "demonstration"}
    return _json({"object": "list", "data": [model]})


# -- Text Generation Inference


def _generate_root(body: _Body) -> Reply:
    if body.get("stream"):
        return _generate_stream(body)
    return _generated(body, as_list=True)


def _generate(body: _Body) -> Reply:
    return _generated(body, as_list=False)


def _generated(body: _Body, *, as_list: bool) -> Reply:
    if "inputs" not in body:
        return _wrong("`inputs` is missing")
    text = answers.say(answers.prompt_of(body))
    answer: dict[str, Any] = {"generated_text": text}
    if (body.get("parameters") or {}).get("details"):
        words = answers.pieces(text)
        tokens = [{"id": i, "text": word, "logprob": 0.0, "special": False} for i, word in enumerate(words)]
        answer["details"] = {**_ended(len(words)), "prefill": [], "tokens": tokens}
    return _json([answer] if as_list else answer)


def _generate_stream(body: _Body) -> Reply:
    if "inputs" not in body:
        return _wrong("`inputs` is missing")
    text = answers.say(answers.prompt_of(body))
    words = answers.pieces(text)
    events = []
    for index, word in enumerate(words, 1):
        last = index == len(words)
        token = {"id": index, "text": word, "logprob": 0.0, "special": False}
        events.append(
            _event(
                {
                    "index": index,
                    "token": token,
                    "generated_text": text if last else None,
                    "details": _ended(index) if last else None,
                }
            )
        )
    return _stream(events)


def _ended(count: int) -> dict[str, Any]:
    return {"finish_reason": "eos_token", "generated_tokens": count, "seed": None}


def _stream(events: list[bytes]) -> Reply:
    return Reply(content_type="text/event-stream", events=tuple(events))


# -- OpenAI


def _usage(prompt: str, count: int) -> dict[str, int]:
    asked = len(answers.pieces(prompt))
    return {"prompt_tokens": asked, "completion_tokens": count, "total_tokens": asked + count}


def _chat(body: _Body) -> Reply:
    if not isinstance(body.get("messages"), list):
        return _openai_error("`messages` is missing")
    prompt = answers.prompt_of(body)
    text = answers.say(prompt)
    words = answers.pieces(text)
    frame = {"id": "chatcmpl-demo", "created": _CREATED, "model": str(body.get("model") or answers.MODEL)}
    if not body.get("stream"):
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        usage = _usage(prompt, len(words))
        return _json({**frame, "object": "chat.completion", "choices": [choice], "usage": usage})
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}, *({"content": word} for word in words), {}]
    frame["object"] = "chat.completion.chunk"
    return _openai_stream(frame, [{"index": 0, "delta": delta} for delta in deltas], body, _usage(prompt, len(words)))


def _completions(body: _Body) -> Reply:
    if "prompt" not in body:
        return _openai_error("`prompt` is missing")
    prompt = answers.prompt_of(body)
    text = answers.say(prompt)
    words = answers.pieces(text)
    frame = {"id": "cmpl-demo", "object": "text_completion", "created": _CREATED}
    frame["model"] = str(body.get("model") or answers.MODEL)
    usage = _usage(prompt, len(words))
    if not body.get("stream"):
        return _json({**frame, "choices": [{"index": 0, "text": text, "finish_reason": "stop"}], "usage": usage})
    return _openai_stream(frame, [{"index": 0, "text": word} for word in words], body, usage)


def _openai_stream(frame: _Body, choices: list[_Body], body: _Body, usage: dict[str, int]) -> Reply:
    last = len(choices) - 1
    events = [
        _event({**frame, "choices": [{**choice, "finish_reason": "stop" if i == last else None}]})
        for i, choice in enumerate(choices)
    ]
    if (body.get("stream_options") or {}).get("include_usage"):
        events.append(_event({**frame, "choices": [], "usage": usage}))
    return _stream([*events, b"data: [DONE]\n\n"])


def _embeddings(body: _Body) -> Reply:
    if "input" not in body:
        return _openai_error("`input` is missing")
    texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
    encoded = body.get("encoding_format") == "base64"
    data = [
        {"object": "embedding", "index": i, "embedding": answers.embedding(str(text), encoded=encoded)}
        for i, text in enumerate(texts)
    ]
    count = sum(len(str(text).split()) for text in texts)
    usage = {"prompt_tokens": count, "total_tokens": count}
    return _json({"object": "list", "data": data, "model": answers.MODEL, "usage": usage})


def _openai_error(message: str) -> Reply:
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": None}
    return _json({"error": error}, 400)


_GET: dict[str, Callable[[_Body], Reply]] = {
    "/": _health,
    "/health": _health,
    "/ping": _health,
    "/info": _info,
    "/v1/models": _models,
}
_POST: dict[str, Callable[[_Body], Reply]] = {
    "/": _generate_root,
    "/generate": _generate,
    "/generate_stream": _generate_stream,
    "/v1/chat/completions": _chat,
    "/v1/completions": _completions,
    "/v1/embeddings": _embeddings,
}
