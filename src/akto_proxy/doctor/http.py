"""Gathers facts by HTTP calls: one answer, or a stream with the time of each piece. Never raises, never follows.

The standard library's client over a socket of our own: the name a call is for and the address it goes to differ with
PrivateLink, and no environment variable may send it elsewhere.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import time
from collections.abc import Mapping
from typing import Any

from akto_proxy.doctor.facts import HttpFacts, StreamFacts, Target
from akto_proxy.doctor.sockets import word

LIMIT = 65_536
_MOST_PIECES = 2_000


class _Connection(http.client.HTTPConnection):
    """Connects where `Target.dial` says, under the name the target has."""

    def __init__(self, target: Target, timeout: float) -> None:
        super().__init__(target.host, target.port, timeout=timeout)
        self._target = target

    def connect(self) -> None:
        """Open the socket, secured where the scheme says so."""
        sock = socket.create_connection(self._target.dial, self.timeout)
        if self._target.scheme != "https":
            self.sock = sock
            return
        try:
            self.sock = _context(self._target).wrap_socket(sock, server_hostname=self._target.host)
        except BaseException:
            sock.close()
            raise


def _context(target: Target) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=target.ca_file or None)
    if not target.verify:  # only for this machine's own proxy, whose certificate is for the name that clients use
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def call(
    target: Target,
    method: str,
    path: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    timeout: float = 10.0,
) -> HttpFacts:
    """One call; its answer or why there is none."""
    return stream(target, method, path, headers=headers, body=body, timeout=timeout).http


def stream(
    target: Target,
    method: str,
    path: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    timeout: float = 10.0,
) -> StreamFacts:
    """One call, with the time at which each piece of its answer came."""
    began = time.monotonic()
    connection = _Connection(target, timeout)
    try:
        connection.request(method, target.prefix + path, body, {"Connection": "close", **(headers or {})})
        answer = connection.getresponse()
        at = time.time()
        data, arrivals = _read(answer, began, timeout)
    except (OSError, http.client.HTTPException, ValueError) as error:
        return StreamFacts(HttpFacts(error=_word(error), seconds=time.monotonic() - began))
    finally:
        connection.close()
    found = {name.lower(): value for name, value in answer.getheaders()}
    return StreamFacts(HttpFacts(answer.status, found, data, "", time.monotonic() - began, at), tuple(arrivals))


def _read(answer: http.client.HTTPResponse, began: float, timeout: float) -> tuple[bytes, list[float]]:
    data = bytearray()
    arrivals: list[float] = []
    while len(data) < LIMIT and len(arrivals) < _MOST_PIECES and time.monotonic() - began < timeout * 3:
        piece = answer.read1(8192)
        if not piece:
            break
        data += piece
        arrivals.append(time.monotonic() - began)
    return bytes(data), arrivals


def _word(error: BaseException) -> str:
    if isinstance(error, http.client.RemoteDisconnected | http.client.IncompleteRead):
        return "closed"
    return "not HTTP" if isinstance(error, http.client.HTTPException) else word(error)


def chat(prompt: str, *, model: str = "tgi", streamed: bool = False, tokens: int = 1) -> bytes:
    """The body of a small chat call."""
    tree: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": prompt}], "max_tokens": tokens}
    return json.dumps({**tree, "stream": True} if streamed else tree).encode()
