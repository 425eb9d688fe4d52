from __future__ import annotations

import pytest

from akto_proxy.doctor import network
from akto_proxy.doctor.facts import DnsFacts, HttpFacts, ProxyEnvironment, Target, TcpFacts, TlsFacts
from akto_proxy.doctor.result import State

TARGET = Target("https", "abc.endpoints.huggingface.cloud", 443)


@pytest.mark.parametrize(
    ("address", "private"),
    [
        ("10.0.0.1", True),
        ("172.31.255.255", True),
        ("172.32.0.1", False),
        ("192.168.4.4", True),
        ("100.64.0.1", True),
        ("127.0.0.1", True),
        ("169.254.1.1", True),
        ("fd00::1", True),
        ("fe80::1%eth0", True),
        ("52.1.2.3", False),
        ("2600:1f18::1", False),
    ],
)
def test_which_addresses_are_private(address: str, private: bool):
    assert network.is_private(address) is private


def test_all_public_is_a_warning_unless_private_is_asked_for():
    facts = DnsFacts("x", ("52.1.2.3",))
    assert network.dns(facts, private=False).state is State.WARN
    assert network.dns(facts, private=True).state is State.FAIL
    assert network.dns(DnsFacts("x", ("52.1.2.3", "10.0.0.1")), private=False).state is State.FAIL


@pytest.mark.parametrize(
    ("no_proxy", "state"),
    [
        ((), State.WARN),
        (("example.com",), State.WARN),
        (("huggingface.cloud",), State.OK),
        ((".endpoints.huggingface.cloud",), State.OK),
        (("*.huggingface.cloud",), State.OK),
        (("*",), State.OK),
        ((" ABC.endpoints.huggingface.cloud ",), State.OK),
        (("cloud.abc", "10.0.0.0/8"), State.WARN),
    ],
)
def test_no_proxy_is_read_as_clients_read_it(no_proxy: tuple[str, ...], state: State):
    facts = ProxyEnvironment(("HTTPS_PROXY",), no_proxy)
    assert network.environment(facts, (TARGET.host,)).state is state


def test_no_proxy_networks_except_addresses():
    facts = ProxyEnvironment(("ALL_PROXY",), ("10.0.0.0/8", "not/a network"))
    assert network.environment(facts, ("10.1.2.3",)).state is State.OK
    assert network.environment(facts, ("11.1.2.3",)).state is State.WARN


def test_one_dead_address_among_several_is_a_warning():
    facts = TcpFacts(443, (("10.0.0.1", ""), ("10.0.0.2", "timeout")), 0.1)
    assert network.tcp(facts, TARGET).state is State.WARN
    assert network.tcp(TcpFacts(443), TARGET).state is State.SKIP


@pytest.mark.parametrize("reason", ["expired", "not_yet", "name", "authority", "plain", "timeout", "closed", "unheard"])
def test_every_way_a_handshake_fails_has_a_fix(reason: str):
    result = network.tls(TlsFacts("x", reason, ("y",), "issuer"), 0.0)
    assert result.state is State.FAIL
    assert result.fix


@pytest.mark.parametrize(("skew", "state"), [(0, State.OK), (-29, State.OK), (31, State.WARN), (-301, State.FAIL)])
def test_clock(skew: float, state: State):
    facts = HttpFacts(200, {"date": "Thu, 01 Jan 2026 00:00:00 GMT"}, at=1_767_225_600 + skew)
    assert network.clock(facts).state is state


@pytest.mark.parametrize("stamp", ["", "yesterday", "Thu, 99 Jan 2026 00:00:00 GMT"])
def test_without_a_date_the_clock_is_not_judged(stamp: str):
    assert network.clock(HttpFacts(200, {"date": stamp})).state is State.SKIP


def test_mtu():
    well = HttpFacts(401)
    assert network.packets(well, HttpFacts(404), 9001).state is State.OK
    assert network.packets(well, HttpFacts(404), 0).state is State.OK
    assert network.packets(well, HttpFacts(error="timeout"), 9001).state is State.FAIL
    assert network.packets(HttpFacts(error="refused"), HttpFacts(error="refused"), 0).state is State.SKIP
    assert network.packets(well, HttpFacts(404), 1100).state is State.WARN
