"""What is said on a channel: a line without mark-up, whatever a caller calls itself."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from akto_proxy.watch.desk import Notice
from akto_proxy.watch.notify import text


@given(st.text(max_size=500))
def test_a_name_is_one_harmless_line(name: str) -> None:
    said = text.plain(name)
    assert len(said) <= 200
    assert said.isprintable()
    assert not set('<>&|*_`~[]()#@\\{}$"\r\n') & set(said)


def test_title_and_facts(notice: Notice) -> None:
    assert text.title(notice) == "[high] New incident: unusual exfiltration"
    facts = dict(text.facts(notice))
    assert facts["Expected"] == "about 1 %"
    assert facts["Trace"] == "t" * 32
    assert "@everyone" not in facts["Subject"]
    assert text.body(notice, "https://dash").endswith(f"https://dash/incidents/{'i' * 32}")
