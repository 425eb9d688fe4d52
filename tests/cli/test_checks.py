import socket
from pathlib import Path

import pytest

from akto_proxy.cli.checks import check
from akto_proxy.config.settings import Settings, load
from akto_proxy.errors import ConfigError
from doctor.town import Authority
from tests_support import free_port


def told(**variables: str) -> Settings:
    ports = {"AKTO_PROXY_PORT": str(free_port(19)), "SERVER_PORT": str(free_port()), "AKTO_PROXY_HOST": "127.0.0.1"}
    return load({"APP_URL": "http://127.0.0.1:9", **ports, **variables})


def test_a_start_that_can_succeed_is_not_held_up():
    check(told(), proxy=True, server=True)
    check(load({"AKTO_PROXY_PORT": str(free_port(19)), "SERVER_PORT": "0"}), proxy=True, server=True)


@pytest.mark.parametrize("name", ["AKTO_PROXY_PORT", "SERVER_PORT"])
def test_a_port_that_another_program_has_is_said_with_its_setting(name: str):
    settings = told()
    with (
        socket.create_server(("127.0.0.1", getattr(settings, name.lower()))),
        pytest.raises(ConfigError, match=f"in use.*{name}"),
    ):
        check(settings, proxy=True, server=True)


def test_a_taken_demonstration_port_is_said_at_once():
    port = free_port(19)
    settings = load({"AKTO_PROXY_PORT": str(port)})
    with socket.create_server(("127.0.0.1", port + 19)), pytest.raises(ConfigError, match="demonstration"):
        check(settings, proxy=True, server=False)


def test_a_tree_may_take_over_the_port_of_the_one_it_replaces():
    settings = told()
    with socket.socket() as older:
        older.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        older.bind(("127.0.0.1", settings.akto_proxy_port))
        older.listen()
        check(settings, proxy=True, server=False)


def test_only_the_parts_that_start_are_looked_at():
    settings = told()
    with socket.create_server(("127.0.0.1", settings.server_port)):
        check(settings, proxy=True, server=False)
    with socket.create_server(("127.0.0.1", settings.akto_proxy_port)):
        check(settings, proxy=False, server=True)


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"APP_URL": "https://127.0.0.1:9", "CA_FILE": "/nowhere.pem"}, "CA file '/nowhere.pem'"),
        ({"CONNECT_TO": "http://10.0.0.1"}, "connect-to"),
        ({"TLS_CERT": "/nowhere.crt", "TLS_KEY": "/nowhere.key"}, "/nowhere.crt"),
        ({"AKTO_PROXY_HOST": "no-such-host.invalid"}, "no-such-host.invalid"),
        ({"AKTO_PROXY_HOST": "192.0.2.1"}, "192.0.2.1"),
    ],
)
def test_what_a_worker_could_not_use_is_one_sentence(variables: dict[str, str], words: str):
    with pytest.raises(ConfigError, match=words):
        check(told(**variables), proxy=True, server=True)


def test_a_key_of_another_certificate_is_found(tmp_path: Path):
    authority = Authority(tmp_path, "authority")
    chain, _ = authority.issue()
    _, other = authority.issue()
    with pytest.raises(ConfigError, match="cannot be used together"):
        check(told(TLS_CERT=str(chain), TLS_KEY=str(other)), proxy=True, server=True)


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("notify: [{name: ops, kind: slak}]", "notify"),
        ("alerts: {rules: [{name: a, when: 'what ='}]}", "alert rule"),
        ("limits: [{name: a, limit: -1}]", "limits"),
    ],
)
def test_a_mistake_in_alerts_channels_or_limits_is_one_sentence(tmp_path: Path, written: str, words: str):
    file = tmp_path / "settings.yaml"
    file.write_text(written)
    with pytest.raises(ConfigError, match=words):
        check(load({"AKTO_PROXY_PORT": str(free_port(19)), "SERVER_PORT": "0"}, str(file)), proxy=True, server=True)
