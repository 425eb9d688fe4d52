"""Two workers on one port: both serve, a dead one comes back, SIGTERM lets answers end."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

PROGRAM = """
import sys, asyncio, os
sys.path.insert(0, {tests!r})
from conftest import PassHandler
from akto_proxy.proxy.options import ProxyOptions, Timeouts, Upstream
from akto_proxy.proxy.server import Server
from akto_proxy.proxy.worker import run
from akto_proxy.proxy.workers import Supervisor

def say(text):
    print(os.getpid(), text, flush=True)

def work(index, port, upstream, tls):
    async def build():
        options = ProxyOptions(Upstream("http", "127.0.0.1", upstream), port=port, reuse_port=True,
                               timeouts=Timeouts(drain=3))
        return Server(options, PassHandler())
    if not run(build, reload=lambda: say("hook"), say=say):
        sys.exit(1)

if __name__ == "__main__":
    sys.exit(Supervisor(work, (int(sys.argv[1]), int(sys.argv[2]), None), count=2, drain=4, say=say).run())
"""


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


@pytest.fixture
def slow_model():
    """An upstream in this process that answers one request after a while, in a thread."""
    import threading

    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                conn, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(conn,), daemon=True).start()

    def answer(conn):
        conn.recv(65536)
        time.sleep(0.6)
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
        conn.close()

    threading.Thread(target=serve, daemon=True).start()
    yield listener.getsockname()[1]
    listener.close()


@pytest.fixture
def program(tmp_path, slow_model):
    from pathlib import Path

    script = tmp_path / "two_workers.py"
    script.write_text(PROGRAM.format(tests=str(Path(__file__).parent)))
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, str(script), str(port), str(slow_model)], stdout=subprocess.PIPE, text=True, bufsize=1
    )
    yield process, port
    process.kill()
    process.wait(5)
    process.stdout.close()


def lines_until(process, word, count=1):
    got = []
    while sum(word in line for line in got) < count:
        line = process.stdout.readline()
        assert line, got
        got.append(line)
    return got


def ask(port, path="/healthz"):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", path)
    answer = connection.getresponse()
    return answer.status, answer.read(), connection


def test_two_workers_live_die_reload_and_drain(program):
    process, port = program
    pids = {int(line.split()[0]) for line in lines_until(process, "listening", 2)}
    assert len(pids) == 2
    assert ask(port)[0] == 200
    os.kill(min(pids), signal.SIGKILL)
    again = lines_until(process, "listening")
    assert any("starting it again" in line for line in again)
    process.send_signal(signal.SIGHUP)
    assert sum("hook" in line for line in lines_until(process, "reloaded", 2)) == 2
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", "/slow")
    time.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    answer = connection.getresponse()  # the answer under way is let finish
    assert (answer.status, answer.read()) == (200, b"ok")
    assert process.wait(5) == 0
    with pytest.raises(ConnectionRefusedError):
        ask(port)


def test_workers_leave_when_their_parent_is_killed(program):
    process, _ = program
    pids = {int(line.split()[0]) for line in lines_until(process, "listening", 2)}
    process.kill()
    process.wait(5)
    deadline = time.monotonic() + 5
    while any(os.path.exists(f"/proc/{pid}") for pid in pids):
        assert time.monotonic() < deadline
        time.sleep(0.05)
