from pathlib import Path

import pytest

from akto_proxy.config.settings import load, misspelt
from akto_proxy.errors import ConfigError


def test_four_variables_suffice():
    settings = load(
        {
            "AKTO_API_TOKEN": "t",
            "AKTO_API_BASE_URL": "https://ingest.example",
            "APP_URL": "https://abc.eu-west-1.aws.endpoints.huggingface.cloud/",
            "LOG_LEVEL": "warn",
        }
    )
    assert settings.log_level == "WARNING"
    assert settings.endpoint_name == "abc.eu-west-1.aws.endpoints.huggingface.cloud"
    assert not settings.demo


def test_none_is_enough_and_stays_on_loopback():
    settings = load({})
    assert settings.demo
    assert settings.listen_host == "127.0.0.1"
    assert settings.akto_proxy_port == 8080


def test_akto_names_are_understood():
    settings = load(
        {
            "ALLOWED_HTTP_METHODS": "get, post",
            "APPLY_GUARDRAILS_TO_SSE": "false",
            "GUARDRAIL_ENDPOINTS": "POST:/v1/chat/completions,POST:/generate",
            "SKIP_THREAT": "true",
            "MAX_REQUEST_SIZE": "1000",
            "REQUEST_TIMEOUT": "5",
        }
    )
    assert settings.allowed_http_methods == ("GET", "POST")
    assert settings.guardrail_endpoints == ("POST:/v1/chat/completions", "POST:/generate")
    assert (settings.apply_guardrails_to_sse, settings.skip_threat) == (False, True)
    assert (settings.request_limit, settings.request_timeout) == (1000, 5.0)


def test_environment_wins_over_file_and_options_over_both(tmp_path: Path):
    file = tmp_path / "akto.yaml"
    file.write_text("akto_proxy_port: 1111\nserver_port: 2222\nadmin_port: 3333\n")
    settings = load({"SERVER_PORT": "4444"}, str(file), {"admin_port": 5555})
    assert (settings.akto_proxy_port, settings.server_port, settings.admin_port) == (1111, 4444, 5555)


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"AKTO_PROXY_PORT": "99999"}, ["AKTO_PROXY_PORT", "65535", "docs/settings.md"]),
        ({"APP_URL": "ftp://x"}, ["APP_URL", "expected a URL such as"]),
        ({"APP_URL": "https://user:pa55@host"}, ["APP_URL", "without user name"]),
        ({"CAPTURE": "full"}, ["capture_key", "openssl rand"]),
        ({"TLS_CERT": "a.pem"}, ["tls_key", "both"]),
        ({"GUARDRAIL_ENDPOINTS": "/x"}, ["METHOD:/path"]),
        ({"POOL_IDLE": "350"}, ["POOL_IDLE", "less than 300"]),
        ({"AKTO_PROXY_CONFIG": "/nowhere/a.yaml"}, ["/nowhere/a.yaml", "cannot be read"]),
    ],
)
def test_a_mistake_is_named_with_its_fix(environ: dict[str, str], words: list[str]):
    with pytest.raises(ConfigError) as caught:
        load(environ)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("request_timeout: soon", "request_timeout: expected a number, found a text"),
        ("workers: 1.5", "workers: expected a whole number, found a number"),
        ("workers: -3", "workers: expected 0 or more, found a number"),
        ("capture: [a]", "capture: expected 'masked', 'metadata' or 'full', found a list"),
        ("tour: {a: 1}", "tour: expected true or false, found a mapping"),
        ("limits: 3", "limits: expected a list, found a number"),
    ],
)
def test_a_mistake_in_the_file_is_said_in_words_of_yaml(tmp_path: Path, text: str, words: str):
    file = tmp_path / "akto.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load({}, str(file))
    assert words in str(caught.value)


def test_a_variable_is_always_a_text_so_its_kind_is_not_told():
    with pytest.raises(ConfigError) as caught:
        load({"REQUEST_TIMEOUT": "soon", "WORKERS": "-3"})
    assert str(caught.value).splitlines() == [
        "environment variable REQUEST_TIMEOUT: expected a number; see docs/settings.md#request_timeout",
        "environment variable WORKERS: expected 0 or more; see docs/settings.md#workers",
    ]


def test_a_variable_that_looks_like_a_setting_is_a_slip_and_others_are_not():
    slips = misspelt({"POLICY_FIEL": "x", "AKTO_PROXY_PROT": "1", "POLICY_FILE": "x", "AKTO_PROXY_CONFIG": "c"})
    assert slips == [("POLICY_FIEL", "POLICY_FILE"), ("AKTO_PROXY_PROT", "AKTO_PROXY_PORT")]
    usual = ("PATH HOME LANG LOGNAME HOSTNAME HTTP_PROXY HTTPS_PROXY NO_PROXY HF_TOKEN HF_HOME AWS_REGION PYTHONPATH "
             "XDG_DATA_DIRS SSH_AUTH_SOCK KUBERNETES_SERVICE_PORT KUBERNETES_SERVICE_HOST INVOCATION_ID TERM SHLVL "
             "OTEL_EXPORTER_OTLP_ENDPOINT OTEL_SERVICE_NAME REQUESTS_CA_BUNDLE SSL_CERT_FILE DATABASE_URL")  # fmt: skip
    assert misspelt(dict.fromkeys(usual.split(), "x")) == []


def test_no_value_is_ever_repeated():
    with pytest.raises(ConfigError) as caught:
        load(
            {"APP_URL": "https://user:s3cr3tvalue@host", "AKTO_PROXY_PORT": "s3cr3tvalue", "CAPTURE_KEY": "s3cr3tvalue"}
        )
    assert "s3cr3tvalue" not in str(caught.value)
    assert "s3cr3tvalue" not in repr(load({"AKTO_API_TOKEN": "s3cr3tvalue"}))


def test_an_unknown_key_in_the_file_names_the_nearest(tmp_path: Path):
    file = tmp_path / "akto.yaml"
    file.write_text("request_timout: 3\n")
    with pytest.raises(ConfigError, match="did you mean `request_timeout`"):
        load({}, str(file))


@pytest.mark.parametrize("text", ["- a\n- b\n", "a: [", "\tx: 1"])
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, text: str):
    file = tmp_path / "akto.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=r"akto\.yaml"):
        load({}, str(file))


def test_labels_come_from_the_file(tmp_path: Path):
    file = tmp_path / "akto.yaml"
    file.write_text("endpoints:\n- name: hr\n  paths: [/v1/*]\n  sensitivity: restricted\n")
    assert load({}, str(file)).endpoints[0].sensitivity == "restricted"
