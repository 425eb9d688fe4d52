import socket

import pytest

from akto_proxy.cli.run import check_demo_port, demo_port, workers
from akto_proxy.config.settings import load
from akto_proxy.errors import ConfigError
from tests_support import free_port


def test_a_taken_demonstration_port_is_said_at_once():
    port = free_port()
    check_demo_port(port)
    with socket.create_server(("127.0.0.1", port)), pytest.raises(ConfigError, match="AKTO_PROXY_PORT"):
        check_demo_port(port)


def test_workers_of_the_demonstration_stay_on_loopback_and_are_told_where_it_is():
    settings = load({"WORKERS": "2", "AKTO_PROXY_PORT": "21000"})
    told = workers(settings)
    assert [part.name for part in told] == ["worker-0", "worker-1"]
    given = told[0].arguments[0]
    assert given.app_url == f"http://127.0.0.1:{demo_port(settings)}"
    assert (given.listen_host, given.endpoint_name) == ("127.0.0.1", "demo")
