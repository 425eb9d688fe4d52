from akto_proxy.exchange.record import Kept, Recorder, assembled
from akto_proxy.model import Usage


def test_lanes_become_choices_and_usage_is_at_the_top():
    tree = assembled({"/choices/1/delta/content": "b", "/choices/0/delta/content": "a"}, [], Usage(1, 2))
    assert [choice["message"]["content"] for choice in tree["choices"]] == ["a", "b"]  # type: ignore[attr-defined]
    assert tree["usage"] == {"prompt_tokens": 1, "completion_tokens": 2}


def test_other_lanes_keep_their_name_and_texts_without_lanes_are_joined():
    assert assembled({"/token/text": "hi"}, [], None)["/token/text"] == "hi"
    assert assembled({}, ["a", "b"], None)["text"] == "a\nb"


def test_credentials_are_dropped_and_unknown_headers_lose_their_value():
    headers = [(b"Authorization", b"x"), (b"Content-Type", b"text/plain"), (b"X-Any", b"secret"), (b"Set-Cookie", b"y")]
    message = Recorder("masked", 10).message(Kept(headers))
    assert message.headers == (("content-type", "text/plain"), ("x-any", ""))


def test_full_capture_is_sealed():
    recorder = Recorder("full", 100, lambda data: f"sealed:{len(data)}")
    kept = recorder._kept([], b"0123456789", b"")
    assert (kept.body, kept.encoding) == ("sealed:10", "sealed")
