import os
import runpy
import signal
import time
from pathlib import Path

from structlog.testing import capture_logs

from akto_proxy.cli.supervisor import Part, Supervisor
from tests_support import free_port

SCRIPT = """
import os, signal, time

def note(word):
    with open({notes!r}, "a") as notes:
        notes.write(f"{{word}} {{os.getpid()}}\\n")

note({name!r})
signal.signal(signal.SIGHUP, lambda *_: note({name!r} + "-reload"))
while {stays!r}:
    time.sleep(0.05)
"""


def part(folder: Path, name: str, *, stays: bool) -> Part:
    """A part whose target is a file, because what tests define cannot be found by a fresh interpreter."""
    script = folder / f"{name}.py"
    script.write_text(SCRIPT.format(notes=str(folder / "notes"), name=name, stays=stays))
    return Part(name, runpy.run_path, (str(script),), stays, 5.0 if stays else 10.0)


def notes(folder: Path) -> list[list[str]]:
    path = folder / "notes"
    return [line.split() for line in path.read_text().splitlines()] if path.exists() else []


def until(supervisor: Supervisor, folder: Path, word: str, count: int = 1) -> list[str]:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        supervisor.turn(0.05)
        found = [pid for name, pid in notes(folder) if name == word]
        if len(found) >= count:
            return found
    raise AssertionError(f"{word} was not noted {count} times: {notes(folder)}")


def gone(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    return False


def test_parts_are_kept_running_told_to_reload_and_stopped(tmp_path: Path):
    """One test for the whole life, because starting interpreters is what costs time here."""
    watched = tmp_path / "policy.yaml"
    watched.write_text("a")
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    supervisor = Supervisor(
        [part(tmp_path, "keep", stays=True), part(tmp_path, "fail", stays=False)], (watched, tmp_path / "absent")
    )
    try:
        supervisor.start()
        (first,) = until(supervisor, tmp_path, "keep")
        assert len(set(until(supervisor, tmp_path, "fail", 2))) == 2
        os.kill(int(first), signal.SIGKILL)
        second = until(supervisor, tmp_path, "keep", 2)[-1]
        assert second != first
        watched.write_text("b")
        assert until(supervisor, tmp_path, "keep-reload") == [second]
        os.kill(os.getpid(), signal.SIGHUP)
        assert until(supervisor, tmp_path, "keep-reload", 2)
        os.kill(os.getpid(), signal.SIGTERM)
        supervisor.run()
        assert gone(second)
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)


def test_a_part_that_cannot_run_is_told_in_a_sentence_and_tried_ever_more_slowly(tmp_path: Path, capfd):
    script = tmp_path / "fails.py"
    script.write_text(
        "from akto_proxy.errors import StorageError\nraise StorageError('the disk is away; bring it back')"
    )
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    now = [0.0]
    supervisor = Supervisor([Part("fails", runpy.run_path, (str(script),))], clock=lambda: now[0])
    pauses = []
    try:
        with capture_logs() as said:
            supervisor.start()
            end = time.monotonic() + 60
            while len(pauses) < 3 and time.monotonic() < end:
                supervisor.turn(0.2)
                now[0] += 100.0  # slow starts count as failed ones too
                pauses = [line["pause"] for line in said if line["event"] == "a part ended and is started again"]
    finally:
        supervisor.stop()
        supervisor.run()
        for number, handler in kept.items():
            signal.signal(number, handler)
    assert pauses == [0.2, 0.4, 0.8]
    out = "".join(capfd.readouterr())
    assert "the disk is away; bring it" in out
    assert "Traceback" not in out


def test_a_part_starts_when_the_one_it_relies_on_listens(tmp_path: Path):
    """The later part listens only after a while; the earlier one notes whether it could connect at once."""
    port = free_port()
    late, early = tmp_path / "late.py", tmp_path / "early.py"
    late.write_text(
        f"import socket, time\ntime.sleep(0.5)\n"
        f"s = socket.create_server(('127.0.0.1', {port}))\nwhile True: time.sleep(1)"
    )
    early.write_text(
        f"import socket, time\nok = socket.socket().connect_ex(('127.0.0.1', {port})) == 0\n"
        f"open({str(tmp_path / 'notes')!r}, 'a').write(f'connected-{{ok}} 0\\n')\nwhile True: time.sleep(1)"
    )
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    parts = [Part("early", runpy.run_path, (str(early),)), Part("late", runpy.run_path, (str(late),), port=port)]
    supervisor = Supervisor(parts)
    try:
        supervisor.start()
        assert until(supervisor, tmp_path, "connected-True")
    finally:
        supervisor.stop()
        supervisor.run()
        for number, handler in kept.items():
            signal.signal(number, handler)
