"""The hooks may break; the answer and the log stay sound."""

import asyncio

import pytest

from akto_proxy.proxy.core import Core, place_of


@pytest.fixture
def loop():
    made = asyncio.new_event_loop()
    yield made
    made.close()


class Broken:
    def refuse(self, *_):
        raise ValueError("secret")


def test_a_broken_handler_still_gives_a_refusal(loop):
    places = []
    core = Core(None, Broken(), None, loop, on_fault=places.append)
    refusal = core.refusal("x", 400, "m", None)
    assert (refusal.status, refusal.close, refusal.body) == (400, True, b"")
    assert core.counters.faults == 1
    assert places[0].startswith("ValueError in ")
    assert "secret" not in places[0]


def test_place_of_an_exception_that_was_never_raised():
    assert place_of(KeyError("x")) == "KeyError"


def test_a_sink_that_breaks_is_counted(loop):
    def sink(trace):
        raise OSError("secret")

    core = Core(None, Broken(), None, loop, on_trace=sink)
    core.keep_trace(None)
    assert core.counters.trace_faults == 1
