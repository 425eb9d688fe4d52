"""Answers of our own: error bodies in the route's form, and how to end a stream that is under way.

A block is HTTP 400 because no recorded client retries it and all of them show its message. In a stream the notice comes
as one more piece of the answer with `finish_reason` `content_filter`, then the route's own ending, because clients take
error frames for faults and some send the request again. Native TGI streams have no such reason; there it is an error
frame. The texts given here must hold nothing of what was blocked.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

import orjson

from akto_proxy.wire.event import Event
from akto_proxy.wire.framing import Lines
from akto_proxy.wire.kinds import answer_kind
from akto_proxy.wire.stream import StreamReader

__all__ = ["answer_kind", "block_tail", "budget_tail", "error_body", "error_tail", "keepalive", "shape"]

JSON: Final = b"application/json"
# A 400 with this wording makes a recorded client send the same body a second time.
_RESENT: Final = re.compile(r"model_kwargs")
_DONE: Final = b"data: [DONE]\n\n"
Frame = tuple[str, dict[str, Any]]
"""The name for an `event:` line ("" for none) and the payload."""


def error_body(form: str, status: int, message: str, code: str, kind: str) -> tuple[bytes, bytes]:
    """The content type and body of an error in a route's form.

    `code` is a stable word for programs (`content_filter`), `kind` the class of error (`policy_violation`).
    """
    text = _safe(message)
    if form == "toolkit":
        tree: dict[str, Any] = {"error": text}
    elif form == "tgi":
        tree = {"error": text, "error_type": _error_type(status)}
    elif form == "tei":
        tree = {"error": text, "error_type": _error_type(status).title(), "message": text, "code": status, "type": kind}
    elif form == "ollama":
        tree = {"error": text}
    elif form == "anthropic":
        tree = {"type": "error", "error": {"type": _anthropic_type(status), "message": text}}
    else:
        tree = _combined(status, text, code, kind)
    return JSON, orjson.dumps(tree)


def _combined(status: int, text: str, code: str, kind: str) -> dict[str, Any]:
    error = {"message": text, "type": kind, "param": None, "code": code}
    return {"error": error, "error_type": _error_type(status), "message": text}


def _safe(message: str) -> str:
    return _RESENT.sub("model kwargs", message)


def _error_type(status: int) -> str:
    if status == 429:
        return "overloaded"
    return "validation" if status < 500 else "generation"


def error_kind(status: int) -> str:
    """The class of an error by its status, in the words that OpenAI's and Anthropic's clients share."""
    names = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
    return names.get(status, "invalid_request_error" if status < 500 else "api_error")


def _anthropic_type(status: int) -> str:
    return {404: "not_found_error", 413: "request_too_large", 529: "overloaded_error"}.get(status) or error_kind(status)


def shape(reader: StreamReader, event: Event | None = None) -> str:
    """Which protocol a stream speaks: by its own events if any came, else by its route."""
    tree = event.tree if event is not None and type(event.tree) is dict else reader.template
    if type(tree) is dict:
        seen = _shape_of(tree)
        if seen:
            return seen
    name = reader.route.name
    return _BY_ROUTE.get(name, "ollama" if isinstance(reader.framing, Lines) else "chat")


_BY_ROUTE: Final = {
    "tgi.generate": "tgi",
    "tgi.generate_stream": "tgi",
    "root": "tgi",
    "sagemaker.invocations": "tgi",
    "openai.completions": "completion",
    "openai.responses": "responses",
    "openai.response": "responses",
    "anthropic.messages": "anthropic",
    "llamacpp.completion": "llamacpp",
    "llamacpp.infill": "llamacpp",
    "ollama.chat": "ollama",
    "ollama.generate": "ollama",
}


def _shape_of(tree: dict[str, Any]) -> str:
    kind = tree.get("type")
    if "choices" in tree:
        choices = tree["choices"]
        text = type(choices) is list and choices and type(choices[0]) is dict and "text" in choices[0]
        return "completion" if text or tree.get("object") == "text_completion" else "chat"
    if type(kind) is str:
        return "responses" if kind.startswith("response.") else "anthropic" if kind in _ANTHROPIC else ""
    if "token" in tree or "generated_text" in tree:
        return "tgi"
    if "meta_info" in tree:
        return "sglang"
    if "done" in tree:
        return "ollama"
    return "llamacpp" if "content" in tree and "stop" in tree else ""


_ANTHROPIC: Final = frozenset(
    ("message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta", "ping")
)


def block_tail(reader: StreamReader, message: str, event: Event | None = None) -> bytes:
    """The last bytes of a stream that a policy ends: a notice the reader of the answer sees, then the route's ending.

    `event` is the last event sent (the reader's own last one when left out): the notice continues it.
    """
    text = _safe(message)
    kind = shape(reader, event)
    tree = event.tree if event is not None and type(event.tree) is dict else reader.template
    last: dict[str, Any] = tree if type(tree) is dict else {}
    return _NOTICES[kind](reader, last, text)


def budget_tail(reader: StreamReader, message: str) -> bytes:
    """The last bytes of a stream whose budget ended: like a block's, but told as a length that was reached."""
    tail = block_tail(reader, message)
    word = _ENDED.get(shape(reader), "length")
    for reason in (b'"content_filter"', b'"refusal"'):  # bare quotes: never inside the message, which is escaped
        tail = tail.replace(reason, b'"%s"' % word.encode())
    return tail


_ENDED: Final = {"responses": "max_output_tokens", "anthropic": "max_tokens", "sglang": "rate_limit_exceeded"}


def error_tail(reader: StreamReader, message: str, code: str = "upstream_error", event: Event | None = None) -> bytes:
    """The last bytes of a stream whose upstream failed: an error frame in the route's form, so no one takes the
    answer for complete.
    """
    text = _safe(message)
    kind = shape(reader, event)
    if kind == "ollama":
        return _lines({"error": text})
    if kind == "tgi":
        return _frames(("", {"error": text, "error_type": "generation"}))
    if kind == "anthropic":
        return _frames(("error", {"type": "error", "error": {"type": "api_error", "message": text}}))
    if kind == "responses":
        return _frames(_response_end(reader.template, "failed", {"error": {"code": code, "message": text}}))
    return _frames(("", _combined(502, text, code, "upstream_error"))) + _DONE


def keepalive(reader: StreamReader) -> bytes:
    """Bytes that say "still here" without meaning anything: an SSE comment; NDJSON has none."""
    return b"" if isinstance(reader.framing, Lines) else b":\n\n"


def _frames(*frames: Frame) -> bytes:
    return b"".join(
        (b"event: " + name.encode() + b"\n" if name else b"") + b"data: " + _ascii(tree) + b"\n\n"
        for name, tree in frames
    )


def _lines(*trees: dict[str, Any]) -> bytes:
    return b"".join(_ascii(tree) + b"\n" for tree in trees)


def _ascii(tree: dict[str, Any]) -> bytes:
    """JSON with every other character escaped: clients that split on U+2028 must not see one."""
    return json.dumps(tree, separators=(",", ":")).encode()


def _head(last: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: last[name] for name in names if name in last}


def _chat(reader: StreamReader, last: dict[str, Any], text: str, *, completion: bool = False) -> bytes:
    tree = {"id": "", "object": "chat.completion.chunk", "created": 0, "model": ""}
    if completion:
        tree["object"] = "text_completion"
    tree |= _head(last, "id", "object", "created", "model", "system_fingerprint")
    content: dict[str, Any] = {"text": text} if completion else {"delta": {"content": text}}
    tree["choices"] = [
        {"index": index, **content, "logprobs": None, "finish_reason": "content_filter"}
        for index in sorted(reader.choices or {0})
    ]
    return _frames(("", tree)) + _DONE


def _completion(reader: StreamReader, last: dict[str, Any], text: str) -> bytes:
    return _chat(reader, last, text, completion=True)


def _tgi(reader: StreamReader, last: dict[str, Any], text: str) -> bytes:
    return _frames(("", {"error": text, "error_type": "validation"}))


def _sglang(reader: StreamReader, last: dict[str, Any], text: str) -> bytes:
    return _frames(("", {"error": {"message": text, "type": "policy_violation", "code": "content_filter"}})) + _DONE


def _llamacpp(reader: StreamReader, last: dict[str, Any], text: str) -> bytes:
    return _frames(("", {"content": text, **_head(last, "index", "id_slot"), "stop": True, "stop_type": "limit"}))


def _ollama(reader: StreamReader, last: dict[str, Any], text: str) -> bytes:
    head: dict[str, Any] = {"model": "", "created_at": "1970-01-01T00:00:00Z", **_head(last, "model", "created_at")}
    chat = "message" in last or ("response" not in last and reader.route.name != "ollama.generate")
    piece = {"message": {"role": "assistant", "content": text}} if chat else {"response": text}
    return _lines({**head, **piece, "done": True, "done_reason": "content_filter"})


def _responses(reader: StreamReader, last: dict[str, Any], text: str) -> bytes:
    item = {"type": "message", "id": "msg_blocked", "status": "incomplete", "role": "assistant"}
    part = {"type": "output_text", "text": text, "annotations": []}
    frames: list[Frame] = []
    if "item_id" in last and "content_index" in last:
        delta = _head(last, "item_id", "output_index", "content_index")
        name = "response.output_text.delta"
        frames.append((name, {"type": name, "sequence_number": _next(last), **delta, "delta": text, "logprobs": []}))
    end = {"incomplete_details": {"reason": "content_filter"}, "output": [{**item, "content": [part]}]}
    return _frames(*frames, _response_end(last, "incomplete", end, len(frames)))


def _response_end(last: Any, status: str, more: dict[str, Any], skip: int = 0) -> Frame:
    last = last if type(last) is dict else {}
    known = last.get("response")
    head = _head(known, "id", "created_at", "model") if type(known) is dict else {}
    response = {
        "id": "resp_blocked", "object": "response", "created_at": 0, "model": "", "error": None, "output": [],
        "parallel_tool_calls": False, "tool_choice": "auto", "tools": [], **head, "status": status, **more,
    }  # fmt: skip
    name = f"response.{status}"
    return name, {"type": name, "sequence_number": _next(last) + skip, "response": response}


def _next(last: dict[str, Any]) -> int:
    number = last.get("sequence_number")
    return number + 1 if type(number) is int else 0


def _anthropic(reader: StreamReader, last: dict[str, Any], text: str) -> bytes:
    index = last.get("index") if type(last.get("index")) is int else -1
    frames: list[Frame] = []
    if last.get("type") in ("content_block_start", "content_block_delta"):
        frames.append(("content_block_stop", {"type": "content_block_stop", "index": index}))
    at = (index or 0) + 1
    frames += [
        ("content_block_start", {
            "type": "content_block_start", "index": at, "content_block": {"type": "text", "text": ""}}),
        ("content_block_delta", {
            "type": "content_block_delta", "index": at, "delta": {"type": "text_delta", "text": text}}),
        ("content_block_stop", {"type": "content_block_stop", "index": at}),
        ("message_delta", {
            "type": "message_delta", "delta": {"stop_reason": "refusal", "stop_sequence": None},
            "usage": {"output_tokens": 0}}),
        ("message_stop", {"type": "message_stop"}),
    ]  # fmt: skip
    return _frames(*frames)


_NOTICES: Final = {
    "chat": _chat,
    "completion": _completion,
    "tgi": _tgi,
    "sglang": _sglang,
    "llamacpp": _llamacpp,
    "ollama": _ollama,
    "responses": _responses,
    "anthropic": _anthropic,
}
