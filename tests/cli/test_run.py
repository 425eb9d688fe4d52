import socket

from structlog.testing import capture_logs

from akto_proxy.cli.run import workers
from akto_proxy.cli.targets import demo_port
from akto_proxy.config.settings import load


def test_workers_of_the_demonstration_stay_on_loopback_and_are_told_where_it_is():
    settings = load({"WORKERS": "2", "AKTO_PROXY_PORT": "21000"})
    told = workers(settings)
    assert [part.name for part in told] == ["worker-0", "worker-1"]
    given = told[0].arguments[0]
    assert given.app_url == f"http://127.0.0.1:{demo_port(settings)}"
    assert (given.listen_host, given.endpoint_name) == ("127.0.0.1", "demo")


def test_an_admin_port_that_another_tree_has_is_not_shared_with_it():
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with capture_logs() as said:
            told = workers(load({"WORKERS": "1", "ADMIN_PORT": str(port)}))
        assert told[0].arguments[0].admin_port == 0
        assert said[0]["port"] == port
    assert workers(load({"WORKERS": "1", "ADMIN_PORT": str(port)}))[0].arguments[0].admin_port == port
