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
