"""Gathers facts about the way to an endpoint: resolver, TCP, TLS. Every call has a deadline and none raises.

The blocking socket module is used on purpose: doctor asks one thing after another, as a person with a shell would, so
that what it reports is what that person would see.
"""

from __future__ import annotations

import contextlib
import errno
import queue
import secrets
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Sequence

from cryptography import x509
from cryptography.x509.oid import NameOID

from akto_proxy.doctor.facts import DnsFacts, Target, TcpFacts, TlsFacts

MOST_ADDRESSES = 8
_RCODES = {0: "NODATA", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 5: "REFUSED"}
_VERIFY = {9: "not_yet", 10: "expired", 62: "name", 63: "name", 64: "name"}


def word(error: BaseException) -> str:
    """A stable word for what went wrong at a socket."""
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, ssl.SSLError):
        return "tls"
    if isinstance(error, socket.gaierror):
        return "dns"
    if isinstance(error, ConnectionRefusedError):
        return "refused"
    if isinstance(error, ConnectionError | EOFError):
        return "closed"
    if isinstance(error, OSError) and error.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL):
        return "unreachable"
    return "error"


def lookup(name: str, timeout: float) -> tuple[str, ...]:
    """The addresses this machine's resolver gives, none when it gives none in time."""
    found: queue.SimpleQueue[tuple[str, ...]] = queue.SimpleQueue()

    def ask_system() -> None:
        addresses: tuple[str, ...] = ()
        with contextlib.suppress(OSError, UnicodeError):
            answers = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
            addresses = tuple(dict.fromkeys(str(item[4][0]) for item in answers))
        found.put(addresses)

    # The system's call has no deadline of its own: a thread that hangs is left behind and ends with the process.
    threading.Thread(target=ask_system, daemon=True).start()
    with contextlib.suppress(queue.Empty):
        return found.get(timeout=timeout)
    return ()


def dns(
    name: str,
    resolvers: Sequence[tuple[str, int]],
    timeout: float,
    find: Callable[[str, float], tuple[str, ...]] = lookup,
) -> DnsFacts:
    """What `name` resolves to here; when to nothing, what the resolvers themselves say."""
    shown = tuple(address for address, _ in resolvers)
    addresses = find(name, 2 * timeout)
    if addresses:
        return DnsFacts(name, addresses, "", shown)
    for server in resolvers:
        rcode = ask(server, name, timeout)
        if rcode:
            return DnsFacts(name, (), rcode, shown)
    return DnsFacts(name, (), "", shown)


def ask(server: tuple[str, int], name: str, timeout: float) -> str:
    """What a name server says about the address of `name`: `NODATA`, `NXDOMAIN`, ... or "" when it does not answer."""
    number = secrets.randbelow(1 << 16)
    labels = b"".join(bytes([len(part)]) + part for part in name.encode("idna").rstrip(b".").split(b"."))
    question = struct.pack(">HHHHHH", number, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">HH", 1, 1)
    family = socket.AF_INET6 if ":" in server[0] else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.settimeout(timeout)
            sock.connect(server)
            sock.send(question)
            data = sock.recv(4096)
    except OSError:
        return ""
    if len(data) < 12 or data[:2] != question[:2]:
        return ""
    code, answers = data[3] & 15, struct.unpack(">H", data[6:8])[0]
    return "" if code == 0 and answers else _RCODES.get(code, f"RCODE{code}")


def tcp(addresses: Sequence[str], port: int, timeout: float) -> TcpFacts:
    """Connect to each address."""
    outcomes: list[tuple[str, str]] = []
    fastest = 0.0
    for address in addresses[:MOST_ADDRESSES]:
        began = time.monotonic()
        try:
            socket.create_connection((address, port), timeout).close()
        except OSError as error:
            outcomes.append((address, word(error)))
            continue
        took = time.monotonic() - began
        fastest = min(fastest or took, took)
        outcomes.append((address, ""))
    return TcpFacts(port, tuple(outcomes), fastest)


def tls(target: Target, timeout: float) -> TlsFacts:
    """A handshake with the name of `target`; when the certificate is refused, what it says of itself."""
    try:
        context = ssl.create_default_context(cafile=target.ca_file or None)
    except (OSError, ssl.SSLError):
        return TlsFacts(target.host, "authority", detail="CA_FILE cannot be read")
    try:
        with _secured(target, context, timeout) as sock:
            found = sock.getpeercert() or {}
            until = ssl.cert_time_to_seconds(str(found["notAfter"])) if "notAfter" in found else 0
            names, issuer = _describe(sock.getpeercert(binary_form=True))
            return TlsFacts(target.host, "", names, issuer, float(until), sock.version() or "")
    except ssl.SSLCertVerificationError as error:
        names, issuer = _seen(target, timeout)
        return TlsFacts(target.host, _VERIFY.get(error.verify_code, "authority"), names, issuer)
    except ssl.SSLError as error:
        plain = error.reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE")
        return TlsFacts(target.host, "plain" if plain else "handshake", detail=str(error.reason or "")[:80])
    except OSError as error:
        return TlsFacts(target.host, word(error))


def _secured(target: Target, context: ssl.SSLContext, timeout: float) -> ssl.SSLSocket:
    sock = socket.create_connection(target.dial, timeout)
    try:
        return context.wrap_socket(sock, server_hostname=target.host)
    except BaseException:
        sock.close()
        raise


def _seen(target: Target, timeout: float) -> tuple[tuple[str, ...], str]:
    """The certificate that was refused: looked at, never trusted, and nothing is sent."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with contextlib.suppress(OSError), _secured(target, context, timeout) as sock:
        return _describe(sock.getpeercert(binary_form=True))
    return (), ""


def _describe(der: bytes | None) -> tuple[tuple[str, ...], str]:
    try:
        certificate = x509.load_der_x509_certificate(der or b"")
        issuer = certificate.issuer.get_attributes_for_oid(NameOID.COMMON_NAME)
        issued_by = str(issuer[0].value)[:80] if issuer else certificate.issuer.rfc4514_string()[:80]
    except ValueError:
        return (), ""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return tuple(str(item.value)[:100] for item in names)[:20], issued_by
    except (x509.ExtensionNotFound, ValueError):
        return (), issued_by
