from __future__ import annotations

from dataclasses import replace

import pytest

from akto_proxy.model import Action, Trace
from akto_proxy.proxy.genai import operation

TRACE = Trace("0" * 32, 1.0, "e", "POST", "/", "", "tgi", 200, "ok", Action.ALLOW)


@pytest.mark.parametrize(
    ("route", "path", "name"),
    [
        ("openai.chat", "/v1/chat/completions", "chat"),
        ("openai.completions", "/v1/completions", "text_completion"),
        ("tgi.generate", "/generate", "text_completion"),
        ("tei.embed", "/embed", "embeddings"),
        ("tei.rerank", "/rerank", "rerank"),
        ("", "/custom", "chat"),
    ],
)
def test_a_route_has_an_operation_of_the_conventions(route: str, path: str, name: str) -> None:
    assert operation(replace(TRACE, route=route, path=path)) == name
