import json
import os
import signal

import pytest
import structlog

from akto_proxy.cli import logs


@pytest.fixture(autouse=True)
def _restored():
    yield
    structlog.reset_defaults()


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_protected_keys_and_exception_messages_are_never_written(capsys: pytest.CaptureFixture[str]):
    logs.setup("INFO", "json")
    log = structlog.get_logger()
    try:
        raise ValueError("canary")
    except ValueError:
        log.error("fault", prompt="canary", token="canary", trace_id="abc", exc_info=True)
    (line,) = lines(capsys)
    assert "canary" not in json.dumps(line)
    assert (line["trace_id"], line["exception"]) == ("abc", "ValueError")


def test_the_level_can_change_while_running(capsys: pytest.CaptureFixture[str]):
    logs.setup("WARNING", "json")
    log = structlog.get_logger()
    log.info("one")
    logs.set_level("DEBUG")
    log.info("two")
    assert [line["event"] for line in lines(capsys)] == ["two"]


def test_a_signal_asks_for_everything_and_another_for_the_chosen_level(capsys: pytest.CaptureFixture[str]):
    kept = {number: signal.getsignal(number) for number in (signal.SIGUSR1, signal.SIGUSR2)}
    try:
        logs.setup("ERROR", "json")
        logs.follow_signals()
        log = structlog.get_logger()
        for number in (signal.SIGUSR1, signal.SIGUSR2):
            os.kill(os.getpid(), number)
            log.debug("seen")
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
    assert [(line["event"], line.get("now")) for line in lines(capsys)] == [
        ("log level changed", "DEBUG"),
        ("seen", None),
        ("log level changed", "ERROR"),
    ]
