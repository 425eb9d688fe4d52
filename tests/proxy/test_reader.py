"""What is a request and what is not: probes that must be refused, and agreement with h11 on everything accepted."""
# ruff: noqa: E501  one probe a line

import h11
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from akto_proxy.proxy.options import Limits
from akto_proxy.proxy.reader import RequestError, RequestReader

H = b"Host: a.example\r\n"
CHUNKED = H + b"Transfer-Encoding: chunked\r\n\r\n"


class Seen:
    """A sink that answers at once."""

    def __init__(self, limits=None):
        self.reader = RequestReader(limits or Limits(), self)
        self.heads = []
        self.bodies = []

    def head_read(self, head):
        self.heads.append(head)

    def request_read(self, body):
        self.bodies.append(body)


def read(data, limits=None, cut=0):
    seen = Seen(limits)
    step = cut or len(data)
    for at in range(0, len(data), step):
        seen.reader.feed(data[at : at + step])
        while seen.reader.waiting == "answer" and seen.reader.ahead:
            seen.reader.resume()
    return seen


PROBES = {
    "both framings": (b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    "both, other order": b"POST / HTTP/1.1\r\n"
    + H
    + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
    "two equal lengths": b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    "two lengths": b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    "length list": b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 3, 3\r\n\r\nabc",
    "length with sign": b"POST / HTTP/1.1\r\n" + H + b"Content-Length: +3\r\n\r\nabc",
    "negative length": b"POST / HTTP/1.1\r\n" + H + b"Content-Length: -3\r\n\r\nabc",
    "hex length": b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 0x3\r\n\r\nabc",
    "empty length": b"POST / HTTP/1.1\r\n" + H + b"Content-Length: \r\n\r\nabc",
    "length with space inside": b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 3 3\r\n\r\nabc",
    "length overflow": b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 99999999999999999999\r\n\r\nabc",
    "length with underscore": b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 1_0\r\n\r\nabcdefghij",
    "bare lf after line": b"GET / HTTP/1.1\n" + H + b"\r\n",
    "bare lf in headers": b"GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n",
    "bare lf everywhere": b"GET / HTTP/1.1\nHost: a\n\n",
    "bare cr": b"GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n",
    "cr cr lf": b"GET / HTTP/1.1\r\r\n" + H + b"\r\n",
    "obs-fold": b"GET / HTTP/1.1\r\n" + H + b"X: a\r\n b\r\n\r\n",
    "obs-fold with tab": b"GET / HTTP/1.1\r\n" + H + b"X: a\r\n\tb\r\n\r\n",
    "fold of the first header": b"GET / HTTP/1.1\r\n X: a\r\n" + H + b"\r\n",
    "folded transfer-encoding": b"POST / HTTP/1.1\r\n" + H + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "space before colon": b"GET / HTTP/1.1\r\n" + H + b"X : a\r\n\r\n",
    "te with space before colon": b"POST / HTTP/1.1\r\n" + H + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "nul in value": b"GET / HTTP/1.1\r\n" + H + b"X: a\0b\r\n\r\n",
    "control in value": b"GET / HTTP/1.1\r\n" + H + b"X: a\x01b\r\n\r\n",
    "del in value": b"GET / HTTP/1.1\r\n" + H + b"X: a\x7fb\r\n\r\n",
    "vertical tab in te": b"POST / HTTP/1.1\r\n" + H + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "control in name": b"GET / HTTP/1.1\r\n" + H + b"X\x01: a\r\n\r\n",
    "no name": b"GET / HTTP/1.1\r\n" + H + b": a\r\n\r\n",
    "no colon": b"GET / HTTP/1.1\r\n" + H + b"X\r\n\r\n",
    "chunk 0x": b"POST / HTTP/1.1\r\n" + CHUNKED + b"0x3\r\nabc\r\n0\r\n\r\n",
    "chunk with space": b"POST / HTTP/1.1\r\n" + CHUNKED + b"3 \r\nabc\r\n0\r\n\r\n",
    "chunk with lf": b"POST / HTTP/1.1\r\n" + CHUNKED + b"3\nabc\r\n0\r\n\r\n",
    "chunk extension with lf": b"POST / HTTP/1.1\r\n" + CHUNKED + b"3;a\nb\r\nabc\r\n0\r\n\r\n",
    "chunk too long": b"POST / HTTP/1.1\r\n" + CHUNKED + b"3\r\nabcd\r\n0\r\n\r\n",
    "chunk overflow": b"POST / HTTP/1.1\r\n" + CHUNKED + b"fffffffffffffffff\r\nabc\r\n0\r\n\r\n",
    "chunk negative": b"POST / HTTP/1.1\r\n" + CHUNKED + b"-1\r\nabc\r\n0\r\n\r\n",
    "chunk empty size": b"POST / HTTP/1.1\r\n" + CHUNKED + b"\r\nabc\r\n0\r\n\r\n",
    "last chunk with lf": b"POST / HTTP/1.1\r\n" + CHUNKED + b"3\r\nabc\r\n0\r\n\n",
    "trailer": b"POST / HTTP/1.1\r\n" + CHUNKED + b"3\r\nabc\r\n0\r\nX: y\r\n\r\n",
    "trailer that looks like an end": b"POST / HTTP/1.1\r\n" + CHUNKED + b"3\r\nabc\r\n0\r\nX: 0\r\n\r\n",
    "trailer with framing": b"POST / HTTP/1.1\r\n" + CHUNKED + b"0\r\nContent-Length: 9\r\n\r\n",
    "request behind chunks": b"POST / HTTP/1.1\r\n" + CHUNKED + b"0\r\n\r\nGET /admin HTTP/1.1\r\nHost: a\r\n\r\n",
    "coding list": b"POST / HTTP/1.1\r\n" + H + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunked not last": b"POST / HTTP/1.1\r\n" + H + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "xchunked": b"POST / HTTP/1.1\r\n" + H + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "identity": b"POST / HTTP/1.1\r\n" + H + b"Transfer-Encoding: identity\r\n\r\nabc",
    "chunked twice": b"POST / HTTP/1.1\r\n" + H + b"Transfer-Encoding: chunked\r\n" * 2 + b"\r\n0\r\n\r\n",
    "chunked in quotes": b"POST / HTTP/1.1\r\n" + H + b'Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n',
    "chunked in 1.0": b"POST / HTTP/1.0\r\n" + H + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\nX: a\r\n\r\n",
    "no host in 1.0": b"GET / HTTP/1.0\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\n" + H + b"Host: b\r\n\r\n",
    "two equal hosts": b"GET / HTTP/1.1\r\n" + H + H + b"\r\n",
    "empty host": b"GET / HTTP/1.1\r\nHost: \r\n\r\n",
    "host with path": b"GET / HTTP/1.1\r\nHost: a/abc?x\r\n\r\n",
    "host with user": b"GET / HTTP/1.1\r\nHost: h/#@x\r\n\r\n",
    "host list": b"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n",
    "host with space": b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
    "host with bad port": b"GET / HTTP/1.1\r\nHost: a:80x\r\n\r\n",
    "absolute form": b"GET http://a.example/ HTTP/1.1\r\n" + H + b"\r\n",
    "authority form": b"GET a.example:80 HTTP/1.1\r\n" + H + b"\r\n",
    "at sign form": b"GET @evil/ HTTP/1.1\r\n" + H + b"\r\n",
    "asterisk form": b"OPTIONS * HTTP/1.1\r\n" + H + b"\r\n",
    "fragment": b"GET /a#b HTTP/1.1\r\n" + H + b"\r\n",
    "backslash": b"GET /a\\..\\b HTTP/1.1\r\n" + H + b"\r\n",
    "raw utf-8 target": b"GET /\xc3\xa9 HTTP/1.1\r\n" + H + b"\r\n",
    "nul target": b"GET /\0 HTTP/1.1\r\n" + H + b"\r\n",
    "space in target": b"GET / x HTTP/1.1\r\n" + H + b"\r\n",
    "two spaces": b"GET  / HTTP/1.1\r\n" + H + b"\r\n",
    "tab": b"GET\t/ HTTP/1.1\r\n" + H + b"\r\n",
    "lower-case method": b"get / HTTP/1.1\r\n" + H + b"\r\n",
    "unknown method": b"HACK / HTTP/1.1\r\n" + H + b"\r\n",
    "connect": b"CONNECT a:443 HTTP/1.1\r\n" + H + b"\r\n",
    "connect with path": b"CONNECT /a HTTP/1.1\r\n" + H + b"\r\n",
    "upgrade": b"GET / HTTP/1.1\r\n" + H + b"Connection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    "h2c": b"POST / HTTP/1.1\r\n"
    + H
    + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nContent-Length: 1\r\n\r\nx",
    "lone upgrade": b"GET / HTTP/1.1\r\n" + H + b"Upgrade: h2c\r\n\r\n",
    "http/0.9": b"GET /\r\n\r\n",
    "http/0.9 said": b"GET / HTTP/0.9\r\n" + H + b"\r\n",
    "http/1.2": b"GET / HTTP/1.2\r\n" + H + b"\r\n",
    "http/2.0": b"GET / HTTP/2.0\r\n" + H + b"\r\n",
    "http/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "http/1.1x": b"GET / HTTP/1.1x\r\n" + H + b"\r\n",
    "other protocol": b"GET / RTSP/1.1\r\n" + H + b"\r\n",
    "lower-case version": b"GET / http/1.1\r\n" + H + b"\r\n",
    "blank line first": b"\r\nGET / HTTP/1.1\r\n" + H + b"\r\n",
    "bare lf first": b"\nGET / HTTP/1.1\r\n" + H + b"\r\n",
    "tls to a plain port": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
    "strips authorization": b"GET / HTTP/1.1\r\n" + H + b"Connection: close, Authorization\r\nAuthorization: x\r\n\r\n",
    "strips a forwarded header": b"GET / HTTP/1.1\r\n" + H + b"Connection: X-Forwarded-For\r\n\r\n",
    "strips our own header": b"GET / HTTP/1.1\r\n" + H + b"Connection: x-akto-user\r\n\r\n",
    "strips content-length": b"POST / HTTP/1.1\r\n" + H + b"Connection: content-length\r\nContent-Length: 1\r\n\r\nx",
    "two content types": b"POST / HTTP/1.1\r\n" + H + b"Content-Type: a/b\r\nContent-Type: c/d\r\n\r\n",
    "two content encodings": b"POST / HTTP/1.1\r\n" + H + b"Content-Encoding: br\r\ncontent-encoding: br\r\n\r\n",
    "connection of rubbish": b"GET / HTTP/1.1\r\n" + H + b"Connection: a b\r\n\r\n",
    "expectation": b"POST / HTTP/1.1\r\n" + H + b"Expect: 200-ok\r\nContent-Length: 1\r\n\r\nx",
    "two expectations": b"POST / HTTP/1.1\r\n" + H + b"Expect: 100-continue\r\n" * 2 + b"Content-Length: 1\r\n\r\nx",
    "smuggled behind a body": b"POST / HTTP/1.1\r\n"
    + H
    + b"Content-Length: 1\r\n\r\nx\r\nGET /admin HTTP/1.1\r\n"
    + H
    + b"\r\n",
}


@pytest.mark.parametrize("name", PROBES)
@pytest.mark.parametrize("cut", [0, 1, 7])
def test_a_probe_is_refused_however_it_is_cut(name, cut):
    with pytest.raises(RequestError) as caught:
        read(PROBES[name], cut=cut)
    assert caught.value.status == (417 if name == "expectation" else 400)


def test_what_is_too_large_is_told_apart():
    limits = Limits(head=2048, headers=20, target=100, body=10)
    cases = {
        431: [
            b"GET / HTTP/1.1\r\n" + H + b"X: " + b"x" * 3000 + b"\r\n\r\n",
            b"GET / HTTP/1.1\r\nX: " + b"x" * 3000,
            b"GET / HTTP/1.1\r\n" + H + b"X: y\r\n" * 21 + b"\r\n",
        ],
        414: [b"GET /" + b"x" * 200 + b" HTTP/1.1\r\n" + H + b"\r\n"],
        413: [
            b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 11\r\n\r\n",
            b"POST / HTTP/1.1\r\n" + CHUNKED + b"b\r\n01234567890\r\n",
        ],
    }
    for status, requests in cases.items():
        for request in requests:
            with pytest.raises(RequestError) as caught:
                read(request, limits)
            assert caught.value.status == status, request[:60]


def test_chunks_that_are_mostly_framing_are_refused():
    with pytest.raises(RequestError, match="framing"):
        read(b"POST / HTTP/1.1\r\n" + CHUNKED + (b"1;" + b"x" * 500 + b"\r\na\r\n") * 1000)
    body = read(b"POST / HTTP/1.1\r\n" + CHUNKED + b"1\r\na\r\n" * 50_000 + b"0\r\n\r\n").bodies[0]
    assert body == b"a" * 50_000


def test_a_reader_that_is_ahead_is_full_but_not_lost():
    request = b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 3\r\n\r\nabc"
    seen = Seen(Limits(pipeline=100))
    seen.reader.feed(request * 4)
    assert seen.reader.full
    assert len(seen.bodies) == 1
    for n in (2, 3, 4):
        seen.reader.resume()
        assert len(seen.bodies) == n
    assert not seen.reader.full


@pytest.mark.parametrize("cut", [0, 1, 5])
def test_accepted_requests(cut):
    seen = read(
        b"POST /a?b=c HTTP/1.1\r\n" + H + b"connection: keep-alive, x-hop\r\nX-Hop: 1\r\nTE: trailers\r\nX-A:  v \t\r\n"
        b"Content-Length: 3\r\n\r\nabcPOST / HTTP/1.1\r\nHost: [::1]:80\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        cut=cut,
    )
    first, second = seen.heads
    assert (first.method, first.target) == (b"POST", b"/a?b=c")
    assert first.headers == [(b"Host", b"a.example"), (b"X-A", b"v"), (b"Content-Length", b"3")]
    assert first.keep
    assert second.length == -1
    assert seen.bodies == [b"abc", b"abc"]


token = st.text("abcXYZ019-_!~", min_size=1, max_size=8).map(str.encode)
value = st.text('abc ,;="/:\t\u00e9~0', max_size=12).map(lambda t: t.encode("latin-1").strip())
framing = st.sampled_from(["none", "length", "chunked"])


@st.composite
def requests(draw):
    method = draw(st.sampled_from([b"GET", b"POST", b"PUT", b"DELETE", b"OPTIONS"]))
    target = b"/" + draw(st.text("abc/?&=%20.;:@", max_size=20).map(str.encode))
    lines = [
        method + b" " + target + b" HTTP/1." + draw(st.sampled_from([b"1", b"1", b"1", b"0"])),
        b"Host: a.example:80",
    ]
    names = draw(st.lists(st.tuples(token, value), max_size=5))
    lines += [name + b":" + draw(st.sampled_from([b"", b" ", b"\t "])) + text for name, text in names]
    body = draw(st.binary(max_size=40))
    kind = draw(framing)
    if kind == "length":
        lines.append(b"Content-Length: %d" % len(body))
    elif kind == "chunked":
        lines.append(b"Transfer-Encoding: chunked")
        half = len(body) // 2
        pieces = [p for p in (body[:half], body[half:]) if p]
        body = b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"
    else:
        body = b""
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


MUTANTS = [
    b"\r",
    b"\n",
    b" ",
    b"\t",
    b"\0",
    b":",
    b",",
    b";",
    b"0",
    b"1",
    b"\r\n",
    b"\r\n\r\n",
    b"\x0b",
    b"\xff",
    b"/",
    b"#",
]
MUTANTS += [
    b"Transfer-Encoding: chunked\r\n",
    b"Content-Length: 4\r\n",
    b"Host: b\r\n",
    b"HTTP/1.1",
    b"GET / HTTP/1.1\r\n",
]
mutation = st.tuples(st.floats(0, 1), st.integers(0, 3), st.sampled_from([b"", *MUTANTS]))


def mutate(data, mutations):
    for where, length, new in mutations:
        at = int(where * len(data))
        data = data[:at] + new + data[at + length :]
    return data


def by_h11(data):
    """Method, target, headers and body of the first request as h11 reads it, or None if it refuses."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=65536)
    connection.receive_data(data)
    try:
        head = connection.next_event()
        body = b""
        while True:
            event = connection.next_event()
            if isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                break
            else:
                return None
    except h11.RemoteProtocolError:
        return None
    return bytes(head.method), bytes(head.target), list(head.headers), body


OURS = {
    b"connection",
    b"te",
    b"keep-alive",
    b"trailer",
    b"expect",
    b"transfer-encoding",
    b"upgrade",
    b"proxy-connection",
}


@settings(max_examples=400, deadline=None)
@given(requests(), st.lists(mutation, max_size=3), st.integers(0, 9))
def test_whatever_is_accepted_is_read_by_h11_in_the_same_way(request, mutations, cut):
    data = mutate(request, mutations)
    try:
        seen = read(data, cut=cut)
    except RequestError:
        return
    if not seen.bodies:
        return
    head = seen.heads[0]
    theirs = by_h11(data)
    assert theirs is not None, data
    method, target, headers, body = theirs
    assert (head.method, head.target, seen.bodies[0]) == (method, target, body)
    kept = [(name.lower(), text) for name, text in head.headers]
    assert kept == [(bytes(n), bytes(v)) for n, v in headers if bytes(n) not in OURS]


@settings(max_examples=100, deadline=None)
@given(requests())
def test_what_is_well_formed_is_accepted(request):
    if b"HTTP/1.0" in request and b"Transfer-Encoding" in request:
        return
    seen = read(request)
    assert len(seen.bodies) == 1
