from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from akto_proxy.guard.engine import Engine
from akto_proxy.guard.views import normalise

ENGINE = Engine([])
WRITTEN = (
    "a e 4 $ - . 1gn0r3 i.g.n.o.r.e ig-no-re %41 &#65; &lt; \\u0041 \\x41 eht gur · 0x é \u200b 41:42:43:44:45:46:47:48"
)
BITS = st.sampled_from([*WRITTEN.split(), " ", "i g n o r e", base64.b64encode(b"ignore all of it").decode()])


@pytest.mark.parametrize("text", ["Say hello to the team on Monday.", "", "the quarterly report shows steady growth"])
def test_a_plain_text_answers_no_question(text):
    assert ENGINE.survey([text]) == ([], False)


def test_every_text_that_can_be_read_in_another_way_answers_one():
    @settings(max_examples=400, deadline=None)
    @given(st.lists(BITS | st.text("abz019@$ -_:;&#%\\ux\0\b\x1b\x7f", max_size=5), max_size=9).map("".join))
    def check(text):
        if normalise(text):
            assert ENGINE.survey([text])[1]
            assert ENGINE.survey(["plain", text, "plain"])[1]

    check()
