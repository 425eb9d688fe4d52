"""APP_URL and connect-to as the operator writes them."""

import pytest

from akto_proxy.errors import ConfigError
from akto_proxy.proxy.options import parse_upstream


def test_urls():
    plain = parse_upstream("http://model:8000/prefix/")
    assert (plain.authority, plain.dial, plain.prefix) == (b"model:8000", ("model", 8000), "/prefix")
    secure = parse_upstream("https://X.example", connect_to="vpce-1.example:8443")
    assert (secure.authority, secure.dial) == (b"x.example", ("vpce-1.example", 8443))
    assert parse_upstream("https://x.example", connect_to="10.0.0.1").dial == ("10.0.0.1", 443)
    assert parse_upstream("http://[::1]:80/").authority == b"[::1]"
    assert parse_upstream("https://b\u00fccher.example").host == "xn--bcher-kva.example"


@pytest.mark.parametrize(
    "url",
    ["", "model", "ftp://model", "https://", "https://u:p@h", "https://h?x", "https://h#x", "http://h:0", "http://h:x"],
)
def test_what_cannot_be_an_upstream_is_refused_without_quoting_it(url):
    with pytest.raises(ConfigError) as caught:
        parse_upstream(url)
    assert "u:p" not in str(caught.value)


@pytest.mark.parametrize("there", ["h/path", "u@h", "h:99999"])
def test_what_cannot_be_connected_to(there):
    with pytest.raises(ConfigError):
        parse_upstream("https://h", connect_to=there)
