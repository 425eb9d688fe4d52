"""The guard is used once before anybody waits: nothing of it is kept, and whatever it meets does not stop the start."""

from __future__ import annotations

from typing import Any

import pytest

from akto_proxy.cli.warm import warm
from akto_proxy.cli.worker import handler
from akto_proxy.config.settings import load
from akto_proxy.exchange.face import Refusal, RequestHead


@pytest.fixture(scope="module")
def guardrails(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return handler(load({"DATA_DIR": str(tmp_path_factory.mktemp("warm")), "APP_URL": "http://127.0.0.1:9"}))


class Opened:
    """A handler that remembers the exchanges it began."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.begun: list[Any] = []

    def open(self, head: RequestHead) -> Any:
        self.begun.append(self.inner.open(head))
        return self.begun[-1]


def test_a_call_and_a_stream_go_through_the_whole_guard(guardrails: Any) -> None:
    handler = Opened(guardrails)
    warm(handler)
    whole, stream = (
        one.trace(status=200, client_gone=False, first_byte=0, upstream_first=0, total=0) for one in handler.begun
    )
    for trace in (whole, stream):
        found = {(item.rule, item.direction.value) for item in trace.decisions}
        for rule in ("email", "phone-international", "payment-card", "aws-access-key-id"):
            assert (rule, "request") in found
            assert (rule, "response") in found
    assert stream.streamed


class Closed:
    def open(self, head: RequestHead) -> Any:
        return Refusal(405, [], b"", "method_not_allowed")


class Broken:
    def open(self, head: RequestHead) -> Any:
        raise RuntimeError("secret words")


def test_a_handler_that_refuses_or_breaks_does_not_stop_the_start(capsys: pytest.CaptureFixture[str]) -> None:
    warm(Closed())
    warm(Broken())
    printed = capsys.readouterr()
    assert "secret words" not in printed.out + printed.err
