"""What the demonstration endpoint says, as pure functions from a request to the pieces of an answer.

No model runs. It repeats the prompt, so that a caller sees what reached it, or, asked for a customer record, gives one
full of (invented) personal data and a key, so that a caller sees what is taken out on the way back. The same question
always gets the same answer, and every answer says that it is a demonstration.
"""

from __future__ import annotations

import base64
import hashlib
import re
import struct
from typing import Any

MODEL = "akto-demo"
LABEL = "[demonstration]"

# Invented, and put together here so that no scanner of source code takes them for real ones.
_KEY = "AKIA" + "R7XQ2MZL5WVT6NHB"
_CARD = " ".join(("4539", "1488", "0343", "6467"))
RECORD = (
    f"{LABEL} Customer 1042: Maria Rossi, e-mail maria.rossi@northwind-traders.com, phone +1 415-555-2671, "
    f"paid with card {_CARD}. Deployment key: {_KEY}. Status: active since 2023."
)


def say(prompt: str) -> str:
    """The answer to a prompt."""
    return RECORD if "customer record" in prompt.lower() else f"{LABEL} You said: {prompt}"


def pieces(text: str) -> list[str]:
    """The answer in pieces as small as a model's, so that what must be found is cut in two. Joined, they are it."""
    return re.findall(r"\s*\S{1,4}|\s+", text)


def prompt_of(body: dict[str, Any]) -> str:
    """The text that was asked, from any of the request shapes that the endpoint knows."""
    messages = body.get("messages")
    if isinstance(messages, list):
        asked = [_content(m.get("content")) for m in messages if isinstance(m, dict) and m.get("role") != "assistant"]
        return asked[-1] if asked else ""
    for key in ("inputs", "prompt", "input"):
        if key in body:
            return _content(body[key])
    return ""


def embedding(text: str, *, encoded: bool) -> list[float] | str:
    """Eight numbers made from the text alone; as base64 of little-endian floats when `encoded`."""
    digest = hashlib.sha256(text.encode()).digest()
    numbers = [round(digest[i] / 127.5 - 1.0, 6) for i in range(8)]
    return base64.b64encode(struct.pack("<8f", *numbers)).decode() if encoded else numbers


def _content(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return _content(value.get("text", value.get("content", "")))
    if isinstance(value, list):
        return " ".join(filter(None, map(_content, value)))
    return ""
