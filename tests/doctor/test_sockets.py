from __future__ import annotations

import time

from akto_proxy.doctor import http, machine, sockets
from akto_proxy.doctor.facts import Target
from doctor.town import Town
from tests_support import free_port


def test_a_name_server_is_asked_directly(town: Town):
    assert sockets.ask(town.name_server(0), "abc.example", 1) == "NODATA"
    assert sockets.ask(town.name_server(3), "abc.example", 1) == "NXDOMAIN"
    assert sockets.ask(town.name_server(5), "abc.example", 1) == "REFUSED"
    assert sockets.ask(("127.0.0.1", free_port()), "abc.example", 0.3) == ""


def test_every_call_has_a_deadline(town: Town):
    began = time.monotonic()
    port = town.silent_port()
    assert sockets.tcp(["127.0.0.1"], port, 0.2).outcomes == (("127.0.0.1", "timeout"),)
    assert http.call(Target("http", "127.0.0.1", port), "GET", "/", timeout=0.2).error == "timeout"
    assert sockets.dns("x.invalid", (), 0.2, lambda name, timeout: ()).addresses == ()
    assert time.monotonic() - began < 3


def test_what_is_not_http_is_said_to_be_so(town: Town):
    assert http.call(Target("http", "127.0.0.1", free_port()), "GET", "/").error == "refused"


def test_a_folder_that_is_not_there_yet_is_not_made(tmp_path):
    path = tmp_path / "a" / "b"
    assert machine.folder(path).error == ""
    assert not path.exists()
    assert list(tmp_path.iterdir()) == []


def test_environment_values_are_not_kept():
    facts = machine.environment({"https_proxy": "http://u:p@h", "NO_PROXY": "a, b", "HTTP_PROXY": ""})
    assert facts.variables == ("HTTPS_PROXY",)
    assert facts.no_proxy == ("a", " b")


def test_resolvers_are_read(tmp_path):
    file = tmp_path / "resolv.conf"
    file.write_text("# x\nnameserver 10.0.0.2\nsearch x\nnameserver fd00::2%eth0\n")
    assert machine.resolvers(file) == (("10.0.0.2", 53), ("fd00::2", 53))
    assert machine.resolvers(tmp_path / "none") == ()
