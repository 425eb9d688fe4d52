import os
import time
from dataclasses import replace

import pytest

from akto_proxy.config.managed import ManagedKey, draw
from akto_proxy.limits.keys import EXPIRED, MISSING, UNKNOWN, KeyRing, exchanged
from akto_proxy.model import Caller


class Ring:
    def __init__(self, **about: object) -> None:
        self.now = 100.0
        made, self.text = draw(os.urandom, ManagedKey("", "n", "", 0.0))
        self.key = replace(made, **about)
        self.ring = KeyRing([self.key], lambda: self.now)

    def check(self, *headers: tuple[str, str], endpoint: str = "llama"):
        return self.ring.check([(name.encode(), value.encode()) for name, value in headers], endpoint)

    def model(self, name: str, *, asks: bool = True) -> str:
        return self.ring.permit(Caller(key=self.key.id), name, asks=asks)


@pytest.mark.parametrize("form", ["Bearer {}", "bearer {}", "Bearer  {}", "{}"])
@pytest.mark.parametrize("name", ["Authorization", "X-Api-Key", "api-key"])
def test_a_key_in_force_passes_in_every_way_that_clients_send_it(form: str, name: str):
    ring = Ring()
    assert ring.check((name, form.format(ring.text))) is None


def test_no_other_credential_passes():
    ring = Ring()
    assert ring.check() is MISSING
    for value in ("", "Bearer", "Bearer hf_x", "Basic " + ring.text, ring.text[:-1], ring.text + "x", "x" * 5000):
        assert ring.check(("Authorization", value)) is UNKNOWN, value


def test_the_first_credential_counts():
    ring = Ring()
    assert ring.check(("X-Api-Key", "other"), ("Authorization", ring.text)) is UNKNOWN


def test_a_key_ends_at_its_time_or_when_it_is_revoked():
    ring = Ring(expires=101.0)
    assert ring.check(("Authorization", ring.text)) is None
    ring.now = 101.0
    assert ring.check(("Authorization", ring.text)) is EXPIRED
    ring.ring.replace([replace(ring.key, revoked=101.0)])
    assert ring.check(("Authorization", ring.text)) is UNKNOWN


def test_a_key_is_for_its_endpoints():
    ring = Ring(endpoints=("llama*",))
    assert ring.check(("Authorization", ring.text), endpoint="llama-7b") is None
    denied = ring.check(("Authorization", ring.text), endpoint="other")
    assert denied is not None
    assert (denied.status, denied.reason) == (403, "key_scope")


def test_a_key_is_for_its_models():
    ring = Ring(models=("llama-*", "tgi"))
    assert ring.model("llama-7b") == ""
    assert ring.model("tgi") == ""
    assert ring.model("", asks=False) == ""  # a health check has no body and no model
    assert "not for this model" in ring.model("other")
    assert "name one" in ring.model("")
    assert Ring().model("anything") == ""


def test_a_key_that_was_revoked_after_the_door_asks_no_model():
    ring = Ring()
    ring.ring.replace([])
    assert ring.model("x") == UNKNOWN.message


def test_upstream_gets_the_endpoints_token_and_no_credential_of_the_caller():
    sent = [(b"AUTHORIZATION", b"Bearer k"), (b"X-API-Key", b"k"), (b"Api-Key", b"k"), (b"Accept", b"*/*")]
    assert exchanged(sent, b"hf_x") == [(b"Accept", b"*/*"), (b"authorization", b"Bearer hf_x")]
    assert exchanged(sent, b"") == [(b"Accept", b"*/*")]


def test_a_check_costs_microseconds_among_ten_thousand_keys(record_property):
    drawn = [draw(os.urandom, ManagedKey("", "n", "", 0.0)) for _ in range(10_000)]
    ring = KeyRing([key for key, _ in drawn], lambda: 1.0)
    headers = [(b"Host", b"x"), (b"Accept", b"*/*"), (b"Authorization", b"Bearer " + drawn[77][1].encode())]
    began = time.process_time()
    for _ in range(20_000):
        assert ring.check(headers, "x") is None
    each = (time.process_time() - began) / 20_000 * 1e6
    record_property("microseconds", round(each, 2))
    assert each < 30
