import json

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
