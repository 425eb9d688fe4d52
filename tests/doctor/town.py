"""Real servers on loopback to plant faults in: an HTTP(S) server with a function for a mind, a name server, a CA."""

from __future__ import annotations

import datetime as dt
import http.server
import ipaddress
import json
import socket
import socketserver
import ssl
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NAME = "abc123.us-east-1.aws.endpoints.huggingface.cloud"


@dataclass
class Reply:
    """What a server answers. `pieces` are sent one by one with `pause` between, instead of `body`."""

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    pieces: tuple[bytes, ...] = ()
    pause: float = 0.0
    delay: float = 0.0


Mind = Callable[[str, str, dict[str, str], bytes], Reply]


class Server:
    """An HTTP server on loopback; `mind` may be changed while it runs."""

    def __init__(self, mind: Mind, tls: tuple[Path, Path] | None = None) -> None:  # noqa: C901 - two small classes
        self.mind = mind
        self.calls: list[tuple[str, str]] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args: object) -> None: ...

            def date_time_string(self, timestamp: float | None = None) -> str:
                return ""

            def send_response(self, code: int, message: str | None = None) -> None:
                self.send_response_only(code, message)

            def _serve(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                outer.calls.append((self.command, self.path))
                named = {k.lower(): v for k, v in self.headers.items()}
                reply = outer.mind(self.command, self.path, named, body)
                time.sleep(reply.delay)
                pieces = reply.pieces or (reply.body,)
                self.send_response(reply.status)
                for key, value in {"Date": formatdate(usegmt=True), **reply.headers}.items():
                    self.send_header(key, value)
                self.send_header("Connection", "close")
                self.send_header("Content-Length", str(sum(map(len, pieces))))
                self.end_headers()
                for piece in pieces:
                    self.wfile.write(piece)
                    self.wfile.flush()
                    time.sleep(reply.pause)
                self.close_connection = True

            def do_GET(self) -> None:
                self._serve()

            def do_POST(self) -> None:
                self._serve()

        class Threading(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: object, client_address: object) -> None: ...

        self._server = Threading(("127.0.0.1", 0), Handler)
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Authority:
    """Makes certificates."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._key = folder, ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = dt.datetime.now(dt.UTC)
        builder = _builder(self._name, self._name, self._key.public_key(), now - dt.timedelta(days=99), 999)
        certificate = builder.add_extension(x509.BasicConstraints(True, None), critical=True).add_extension(
            x509.KeyUsage(False, False, False, False, False, True, True, False, False), critical=True
        )
        self.file = folder / f"{name}.pem"
        self.file.write_bytes(certificate.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str = NAME, *, begins: float = -1, days: float = 90) -> tuple[Path, Path]:
        """A certificate chain and key for `name`, that begins so many days from now and lasts `days`."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:60])])
        start = dt.datetime.now(dt.UTC) + dt.timedelta(days=begins)
        names = x509.SubjectAlternativeName([x509.DNSName(name), x509.IPAddress(ipaddress.ip_address("127.0.0.9"))])
        made = _builder(subject, self._name, key.public_key(), start, days).add_extension(names, critical=False)
        stem = f"{name}-{len(list(self._folder.iterdir()))}"
        chain, private = self._folder / f"{stem}.crt", self._folder / f"{stem}.key"
        chain.write_bytes(made.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        plain = serialization.NoEncryption()
        private.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
        return chain, private


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, start: dt.datetime, days: float
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(start)
    return builder.not_valid_after(start + dt.timedelta(days=days))


class NameServer:
    """A UDP name server that says one thing to everybody."""

    def __init__(self, rcode: int) -> None:
        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                data, sock = self.request
                head = data[:2] + bytes((0x81, 0x80 | rcode)) + struct.pack(">HHHH", 1, 0, 0, 0)
                sock.sendto(head + data[12:], self.client_address)

        self._server = socketserver.UDPServer(("127.0.0.1", 0), Handler)
        self.address: tuple[str, int] = self._server.server_address  # type: ignore[assignment]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@dataclass
class Town:
    """Starts servers, and stops all of them at the end of the test."""

    folder: Path
    stops: list[Callable[[], None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.authority = Authority(self.folder, "authority")

    def server(self, mind: Mind, tls: tuple[Path, Path] | None = None) -> Server:
        server = Server(mind, tls)
        self.stops.append(server.stop)
        return server

    def name_server(self, rcode: int) -> tuple[str, int]:
        server = NameServer(rcode)
        self.stops.append(server.stop)
        return server.address

    def silent_port(self) -> int:
        """A port whose connections are never taken: its queue is full, so packets are dropped as by a firewall."""
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = int(listener.getsockname()[1])
        waiting = []
        for _ in range(4):
            sock = socket.socket()
            sock.setblocking(False)
            sock.connect_ex(("127.0.0.1", port))
            waiting.append(sock)
        self.stops += [listener.close, *(sock.close for sock in waiting)]
        time.sleep(0.05)
        return port


def json_reply(value: object, status: int = 200, **headers: str) -> Reply:
    return Reply(status, json.dumps(value).encode(), {k.replace("_", "-"): v for k, v in headers.items()})
