"""What the demonstration endpoint says: it repeats what it was sent, or shows a made-up customer record.

Repeating makes the redaction of a prompt visible from the caller's side; the record makes the redaction of an answer
visible. Everything is deterministic and nothing here is a model.
"""

from __future__ import annotations

import re
from typing import Any

NAME = "akto-proxy-demonstration"
_RECORD = (
    "Demonstration record: Jane Roe, e-mail jane.roe@corp-mail.com, phone +1 415 867 5309, "
    "card 4539 1488 0343 6467, access key {key}. End of the record."
)
# Written in two parts, so that no scanner of source code takes a made-up key for a real one.
RECORD = _RECORD.format(key="AKIA" + "Q3EGR7ZL5XWVT2MH")


def answer(prompt: str) -> str:
    """The answer to a prompt."""
    if "record" in prompt.lower():
        return RECORD
    return f"(demonstration endpoint) You said: {prompt}" if prompt else "(demonstration endpoint) You said nothing."


def pieces(text: str) -> list[str]:
    """The answer in the small pieces in which a model would write it."""
    return re.findall(r"\s*\S{1,4}|\s+", text)


def prompt_of(body: Any) -> str:
    """The prompt in a request body of any shape this endpoint knows: chat, completion, TGI, responses."""
    if not isinstance(body, dict):
        return ""
    messages = body.get("messages")
    if isinstance(messages, list) and messages and isinstance(messages[-1], dict):
        return _text(messages[-1].get("content"))
    for name in ("inputs", "prompt", "input"):
        if name in body:
            return _text(body[name])
    return ""


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return " ".join(_text(part.get("text", "") if isinstance(part, dict) else part) for part in content)
    return ""
