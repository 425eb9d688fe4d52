"""A worker as a whole: TLS on both sides, readiness, draining, certificates replaced."""

import asyncio
import datetime as dt
import ipaddress
import shutil
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from akto_proxy.errors import ConfigError
from akto_proxy.proxy.options import ProxyOptions, Timeouts, Tls, Upstream
from akto_proxy.proxy.server import Server

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class Authority:
    """A certificate authority for one test run."""

    def __init__(self, folder):
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test authority")])
        constraints = x509.BasicConstraints(ca=True, path_length=None)
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        cert = self._builder(self.name, self.key).add_extension(constraints, True).add_extension(usage, True)
        self.cert = cert.sign(self.key, hashes.SHA256())
        self.path = str(folder / "ca.pem")
        (folder / "ca.pem").write_bytes(self.cert.public_bytes(serialization.Encoding.PEM))

    def issue(self, host):
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host[:60])])
        try:
            alt = x509.IPAddress(ipaddress.ip_address(host))
        except ValueError:
            alt = x509.DNSName(host)
        builder = self._builder(name, key).add_extension(x509.SubjectAlternativeName([alt]), False)
        cert = builder.sign(self.key, hashes.SHA256())
        stem = f"{host}-{cert.serial_number}"
        cert_path, key_path = self.folder / f"{stem}.pem", self.folder / f"{stem}.key"
        cert_path.write_bytes(cert.public_bytes(serialization.Encoding.PEM))
        key_path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return Tls(str(cert_path), str(key_path))

    def _builder(self, subject, key):
        now = dt.datetime.now(dt.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(hours=1))
            .not_valid_after(now + dt.timedelta(hours=1))
        )


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("pki"))


def serving(tls):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls.cert, tls.key)
    return context


async def test_tls_both_ways_with_a_connect_to_host(house, authority):
    model = serving(authority.issue("xyz.us-east-1.aws.endpoints.example"))
    names = []
    model.sni_callback = lambda sock, name, context: names.append(name)
    upstream = Upstream(
        "https", "xyz.us-east-1.aws.endpoints.example", 443, connect_host="127.0.0.1", ca=authority.path
    )
    one = await house(upstream=upstream, upstream_ssl=model, tls=authority.issue("127.0.0.1"))
    caller = await one.call(ssl=ssl.create_default_context(cafile=authority.path))
    for _ in range(2):
        caller.send(GET)
        status, _, body = await caller.answer()
        assert status == 200
        assert body.startswith(b"GET / HTTP/1.1\r\nHost: xyz.us-east-1.aws.endpoints.example\r\n")
    assert names == ["xyz.us-east-1.aws.endpoints.example"]  # the name, not the address; and the connection was kept
    assert one.handler.heads[0].scheme == "https"
    big = b"x" * 2_000_000
    caller.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000\r\n\r\n" + big)
    assert (await caller.answer())[2].endswith(big)


@pytest.mark.parametrize("fault", ["name", "authority"])
async def test_a_certificate_that_is_not_right_is_not_accepted(house, authority, fault, tmp_path):
    host = "other.example" if fault == "name" else "model.example"
    trusted = authority.path if fault == "name" else Authority(tmp_path).path
    upstream = Upstream("https", "model.example", 443, connect_host="127.0.0.1", ca=trusted)
    one = await house(upstream=upstream, upstream_ssl=serving(authority.issue(host)))
    caller = await one.call()
    caller.send(GET)
    status, _, body = await caller.answer()
    assert (status, body) == (502, b'{"error":"certificate"}')
    assert one.upstream.requests == []


async def test_a_certificate_is_replaced_without_a_restart(house, authority, tmp_path):
    first, second = authority.issue("127.0.0.1"), authority.issue("127.0.0.1")
    cert, key = tmp_path / "c.pem", tmp_path / "k.pem"

    def install(cert_from, key_from):
        shutil.copy(cert_from, cert)
        shutil.copy(key_from, key)

    async def serial(one):
        caller = await one.call(ssl=ssl.create_default_context(cafile=authority.path))
        der = caller.writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        return x509.load_der_x509_certificate(der).serial_number

    install(first.cert, first.key)
    one = await house(tls=Tls(str(cert), str(key)))
    before = await serial(one)
    install(second.cert, first.key)  # a pair that does not belong together
    with pytest.raises(ConfigError):
        one.server.reload_tls()
    assert await serial(one) == before
    install(second.cert, second.key)
    one.server.reload_tls()
    assert await serial(one) != before


async def test_drain_lets_answers_end_and_takes_nothing_new(house, read_one):
    async def script(reader, writer):
        await read_one(reader)
        await asyncio.sleep(0.3)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await writer.drain()
        await asyncio.sleep(1)

    one = await house(script)
    idle, busy = await one.call(), await one.call()
    busy.send(GET)
    await asyncio.sleep(0.05)
    draining = asyncio.create_task(one.server.drain())
    assert await idle.rest() == b""
    status, headers, body = await busy.answer()
    assert (status, body, headers["connection"]) == (200, b"ok", "close")
    assert await draining is True
    with pytest.raises(OSError):
        await one.call()


async def test_drain_has_an_end(house, read_one):
    async def script(reader, writer):
        await read_one(reader)
        await asyncio.sleep(5)

    one = await house(script, patience=Timeouts(drain=0.2))
    caller = await one.call()
    caller.send(GET)
    await asyncio.sleep(0.05)
    assert await one.server.drain() is False
    assert await caller.rest() == b""
    assert [t.outcome for t in one.traces] == ["client_gone"]


async def test_readiness_says_why_not(house):
    one = await house(server_args={"ready": lambda: "the spool is full"})
    caller = await one.call()
    caller.send(b"GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n")
    status, _, body = await caller.answer()
    assert (status, body) == (503, b'{"status":"the spool is full"}\n')


async def test_what_cannot_be_served_is_said(house, tmp_path):
    taken = await house()
    with pytest.raises(ConfigError, match="cannot listen"):
        await Server(ProxyOptions(Upstream("http", "a", 1), port=taken.server.port), taken.handler).start()
    with pytest.raises(ConfigError, match="cannot be used"):
        Server(ProxyOptions(Upstream("http", "a", 1), tls=Tls("/no/cert", "/no/key")), taken.handler)
    bad = tmp_path / "ca.pem"
    bad.write_text("rubbish")
    with pytest.raises(ConfigError, match="CA file"):
        await Server(ProxyOptions(Upstream("https", "a", 1, ca=str(bad))), taken.handler).start()


async def test_two_workers_share_a_port(house):
    first = await house(reuse_port=True)
    options = ProxyOptions(first.server.options.upstream, port=first.server.port, reuse_port=True)
    second = Server(options, first.handler)
    await second.start()
    for _ in range(40):
        caller = await first.call()
        caller.send(GET)
        assert (await caller.answer())[0] == 200
    assert first.server.counters.requests + second.counters.requests == 40
    assert first.server.counters.requests
    assert second.counters.requests
    await second.stop()


async def test_the_operator_has_a_port_of_his_own(house):
    def admin(method, path):
        return (200, b"text/plain", b"requests 0\n") if path == b"/metrics" else None

    one = await house(server_args={"admin": admin})
    reader, writer = await asyncio.open_connection("127.0.0.1", one.server.admin_port)
    for path, expected in ((b"/metrics", b"requests 0\n"), (b"/v1/models", b"no such page\n"), (b"/healthz", b"ok")):
        writer.write(b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % path)
        got = await reader.readuntil(b"\r\n\r\n")
        length = int(got.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        assert expected in await reader.readexactly(length)
    writer.close()
    assert one.server.counters.requests == 0
    assert one.upstream.connections == 0
    caller = await one.call()
    caller.send(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")  # not on the callers' port
    assert (await caller.answer())[2].startswith(b"GET /metrics")
