import base64
from pathlib import Path

from akto_proxy.cli.targets import demo_url, proxy_target, remote_token, servers, upstream
from akto_proxy.config.settings import load

KEY = base64.b64encode(bytes(32)).decode()


def test_without_an_endpoint_the_demonstration_stands_in(tmp_path: Path):
    settings = load({"AKTO_PROXY_PORT": "21000", "DATA_DIR": str(tmp_path)})
    assert upstream(settings).url == demo_url(settings) == "http://127.0.0.1:21019"
    assert demo_url(load({"AKTO_PROXY_PORT": "65535"})) == "http://127.0.0.1:8099"


def test_connect_to_changes_where_tcp_goes_and_no_name(tmp_path: Path):
    target = upstream(load({"APP_URL": "https://abc.example", "CONNECT_TO": "10.0.0.5:8443"}))
    assert (target.host, target.dial) == ("abc.example", ("10.0.0.5", 8443))


def test_this_machines_proxy_is_asked_on_loopback():
    target = proxy_target(load({"APP_URL": "https://abc.example", "AKTO_PROXY_PORT": "21000"}), "")
    assert (target.url, target.verify) == ("http://127.0.0.1:21000", False)


def test_looking_for_servers_draws_no_key(tmp_path: Path):
    assert servers(load({"DATA_DIR": str(tmp_path / "none")})) == []
    assert not (tmp_path / "none").exists()


def test_machines_of_one_deployment_key_need_no_other_token(tmp_path: Path):
    told = {"DEPLOYMENT_KEY": KEY, "DATA_DIR": str(tmp_path), "INGEST_FORM": "collector"}
    own, remote = servers(load({**told, "AKTO_API_BASE_URL": "http://server:8090"}))
    assert (own.own, remote.own) == (True, False)
    assert own.token == remote.token != ""


def test_a_token_that_is_given_stands_above_the_shared_key_and_akto_never_gets_that(tmp_path: Path):
    shared = {"DEPLOYMENT_KEY": KEY, "DATA_DIR": str(tmp_path), "AKTO_API_BASE_URL": "http://server:8090"}
    assert remote_token(load({**shared, "INGEST_FORM": "collector", "AKTO_API_TOKEN": "given"})) == "given"
    assert len(remote_token(load({**shared, "INGEST_FORM": "collector"}))) == 64
    assert remote_token(load({**shared, "INGEST_FORM": "akto"})) == ""
