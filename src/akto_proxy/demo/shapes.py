"""The demonstration endpoint's routes: request in, whole answer or events out, TGI- and OpenAI-shaped.

Facts of the shapes: TGI answers `/` with an array of one and `/generate` with an object, its streams have no `[DONE]`
and repeat the whole text in the last event; OpenAI-shaped streams end with `data: [DONE]`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from akto_proxy.demo.talk import NAME, answer, pieces, prompt_of


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: a JSON tree, or the bytes of the events of a stream."""

    status: int = 200
    tree: Any = None
    events: tuple[bytes, ...] = field(default=())


def reply(method: str, path: str, data: bytes) -> Reply:
    """The answer to a request."""
    if method in ("GET", "HEAD"):
        return _about(path)
    try:
        body = json.loads(data or b"{}")
    except ValueError:
        return Reply(400, {"error": "the body is not JSON", "error_type": "validation"})
    text = answer(prompt_of(body))
    stream = isinstance(body, dict) and body.get("stream") is True
    if path == "/v1/chat/completions":
        return Reply(events=tuple(_chat(text))) if stream else Reply(tree=_whole_chat(text))
    if path == "/v1/completions":
        return Reply(tree={**_head("text_completion"), "choices": [_choice(text=text)], "usage": _usage(text)})
    if path == "/v1/embeddings":
        vector = {"object": "embedding", "index": 0, "embedding": [0.0, 1.0]}
        return Reply(tree={"object": "list", "model": NAME, "data": [vector], "usage": _usage("")})
    if path == "/generate_stream" or (path in ("/", "/generate") and stream):
        return Reply(events=tuple(_tgi(text)))
    if path in ("/", "/generate"):
        return Reply(tree=[{"generated_text": text}] if path == "/" else {"generated_text": text})
    return Reply(404, {"error": "the demonstration endpoint has no such route", "error_type": "validation"})


def _about(path: str) -> Reply:
    if path in ("/health", "/"):
        return Reply(tree={"status": "ok", "demonstration": True})
    if path == "/info":
        return Reply(tree={"model_id": NAME, "version": "0", "demonstration": True})
    if path == "/v1/models":
        return Reply(tree={"object": "list", "data": [{"id": NAME, "object": "model", "owned_by": "akto-proxy"}]})
    return Reply(404, {"error": "the demonstration endpoint has no such route", "error_type": "validation"})


def _head(kind: str) -> dict[str, Any]:
    return {"id": "demo-0", "object": kind, "created": 0, "model": NAME}


def _usage(text: str) -> dict[str, int]:
    count = len(pieces(text))
    return {"prompt_tokens": 0, "completion_tokens": count, "total_tokens": count}


def _choice(**more: Any) -> dict[str, Any]:
    return {"index": 0, "finish_reason": "stop", "logprobs": None, **more}


def _whole_chat(text: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    return {**_head("chat.completion"), "choices": [_choice(message=message)], "usage": _usage(text)}


def _chat(text: str) -> Iterator[bytes]:
    for number, piece in enumerate(pieces(text)):
        delta = {"role": "assistant", "content": piece} if number == 0 else {"content": piece}
        yield _event({**_head("chat.completion.chunk"), "choices": [_choice(delta=delta, finish_reason=None)]})
    last = {**_head("chat.completion.chunk"), "choices": [_choice(delta={})], "usage": _usage(text)}
    yield _event(last)
    yield b"data: [DONE]\n\n"


def _tgi(text: str) -> Iterator[bytes]:
    parts = pieces(text)
    for number, piece in enumerate(parts):
        last = number == len(parts) - 1
        token = {"id": number, "text": piece, "logprob": 0.0, "special": False}
        yield _event({"index": number, "token": token, "generated_text": text if last else None, "details": None})


def _event(tree: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(tree, ensure_ascii=False).encode() + b"\n\n"
