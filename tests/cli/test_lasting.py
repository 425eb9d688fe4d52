"""Work that must not die in silence."""

from structlog.testing import capture_logs

from akto_proxy.cli.lasting import lasting
from akto_proxy.errors import StorageError


async def test_a_failure_is_said_and_the_work_begins_again():
    failures = [
        StorageError("the disk is away; bring it back"),
        ValueError("a prompt of a caller"),
        *[OSError("x")] * 7,
    ]
    waits = []

    async def work():
        if failures:
            raise failures.pop(0)

    async def sleep(seconds):
        waits.append(seconds)

    with capture_logs() as said:
        await lasting("shipping", work, sleep)
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert said[0]["reason"] == "the disk is away; bring it back"
    assert said[1]["reason"].startswith("ValueError in ")
    assert "prompt" not in repr(said), "a foreign error's message may hold what must not be logged"
