"""The attacks on the wire as data: what is sent, and what becomes of it.

Each carries the three planted words (`ring.WORDS`) in a form that some reader behind the proxy understands. The outcome
is what the caller's status, the trace and the bytes that arrived must show; `docs/attacks.md` is made from this table.
"""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from dataclasses import dataclass
from typing import Any

import brotli

from attacks.ring import CARD, KEY, MAIL

TEXT = f"key {KEY} mail {MAIL} card {CARD}"
SAID = TEXT.encode()
JSON = b"application/json"


@dataclass(frozen=True)
class Attack:
    """One attack. `outcome`: `redacted`, `refused STATUS`, `cut`, `unread` (passes, recorded as a bypassed check; the
    policy's `on_unreadable: block` stops it), or `passes` (by design: `note` says why).
    """

    name: str
    raw: bytes
    outcome: str = "redacted"
    note: str = ""


def post(
    body: bytes,
    kind: bytes = JSON,
    *,
    path: bytes = b"/v1/chat/completions",
    method: bytes = b"POST",
    more: bytes = b"",
) -> bytes:
    """A request."""
    head = b"%b %b HTTP/1.1\r\nHost: x\r\nContent-Type: %b\r\n%bContent-Length: %d\r\n\r\n"
    return head % (method, path, kind, more, len(body)) + body


def get(path: bytes) -> bytes:
    return b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n" % path


def chat(text: str, **more: Any) -> bytes:
    return json.dumps({"messages": [{"role": "user", "content": text}], **more}).encode()


def inputs(number: bytes) -> bytes:
    return post(b'{"inputs":%b}' % number, path=b"/generate")


def coded(body: bytes, coding: bytes) -> bytes:
    return post(body, more=b"Content-Encoding: %b\r\n" % coding)


def form(body: bytes, parameters: bytes = b"; boundary=b") -> bytes:
    return post(body, b"multipart/form-data" + parameters)


def part(content: bytes, head: bytes = b"") -> bytes:
    return b'--b\r\nContent-Disposition: form-data; name="prompt"%b\r\n\r\n%b\r\n' % (head, content)


ESCAPED = b'{"messages":[{"role":"user","content":"canary.bird\\u0040coal-mine.com \\u0041' + KEY[1:].encode() + b'"}]}'
WIDE = chat(TEXT).decode()
CARD_B = CARD.encode()
SOUND = b"; filename=a.wav\r\nContent-Type: audio/wav"

REQUESTS: list[Attack] = [
    Attack("plain JSON (the control)", post(chat(TEXT))),
    Attack("`Content-Encoding: gzip`, body not compressed", coded(chat(TEXT), b"gzip"), "refused 415"),
    Attack("unknown Content-Encoding", coded(chat(TEXT), b"foo"), "refused 415"),
    Attack("four stacked encodings", coded(chat(TEXT), b"gzip, gzip, gzip, gzip"), "refused 415"),
    Attack("gzip with rubbish behind", coded(gzip.compress(chat("hi")) + chat(TEXT), b"gzip"), "refused 415"),
    Attack("brotli with rubbish behind", coded(brotli.compress(chat("hi")) + chat(TEXT), b"br"), "refused 415"),
    Attack("deflate with rubbish behind", coded(zlib.compress(chat("hi")) + chat(TEXT), b"deflate"), "refused 415"),
    Attack("gzip in gzip", coded(gzip.compress(gzip.compress(chat(TEXT))), b"gzip, gzip")),
    Attack("two gzip members", coded(gzip.compress(chat(TEXT)[:20]) + gzip.compress(chat(TEXT)[20:]), b"gzip")),
    Attack(
        "two Content-Encoding headers",
        post(gzip.compress(chat(TEXT)), more=b"Content-Encoding: identity\r\nContent-Encoding: gzip\r\n"),
        "refused 400",
    ),
    Attack("two Content-Type headers", post(chat(TEXT), more=b"Content-Type: image/png\r\n"), "refused 400"),
    Attack("JSON named multipart, boundary inside a string", form(chat(TEXT, x="--b--"))),
    Attack("text before the first part", form(SAID + b"\r\n" + part(b"hi") + b"--b--")),
    Attack("text behind the last part", form(part(b"hi") + b"--b--\r\n" + SAID)),
    Attack("text in a part's header", form(part(b"hi", b"\r\nX-Note: " + SAID) + b"--b--")),
    Attack("text in an unknown parameter of a part", form(part(b"hi", b'; note="%b"' % SAID) + b"--b--")),
    Attack("text in a part named audio", form(part(SAID, SOUND) + b"--b--")),
    Attack("a delimiter that only begins like one", form(part(b"hi\r\n--bx\r\n" + SAID + b"\r\n\r\n") + b"--b--")),
    Attack("a padded delimiter in a file", form(part(b"\0\r\n--b \r\n\r\n" + SAID, SOUND) + b"--b--")),
    Attack("line feeds as delimiters in a file", form(part(b"\0\n--b\n\n" + SAID, SOUND) + b"--b--")),
    Attack("two boundaries", form(b"--a--\r\n" + part(SAID) + b"--b--", b"; xboundary=a; boundary=b")),
    Attack("multipart never closed", form(part(SAID))),
    Attack("JSON behind 70 spaces, named a form", post(b" " * 70 + ESCAPED, b"application/x-www-form-urlencoded")),
    Attack("JSON named an event stream", post(ESCAPED, b"text/event-stream")),
    Attack(
        "indented JSON named NDJSON",
        post(json.dumps(json.loads(chat(TEXT)), indent=1).encode(), b"application/x-ndjson"),
    ),
    Attack("JSON named text, with escapes", post(ESCAPED, b"text/plain")),
    Attack("JSON in UTF-16", post(WIDE.encode("utf-16"))),
    Attack("JSON in UTF-32, no mark", post(WIDE.encode("utf-32-be"))),
    Attack(
        "JSON in UTF-16 behind spaces, named binary",
        post((" " * 70 + WIDE).encode("utf-16-le"), b"application/octet-stream"),
    ),
    Attack("text in UTF-16", post(TEXT.encode("utf-16"), b"text/plain; charset=utf-16", path=b"/generate")),
    Attack("text in UTF-16 that nothing declares", post(TEXT.encode("utf-16-be"), b"text/plain", path=b"/generate")),
    Attack(
        "charset=utf-7", post(WIDE.replace("@", "+AEA-").encode(), b"application/json; charset=utf-7"), "refused 415"
    ),
    Attack("charset=ibm037 (EBCDIC)", post(WIDE.encode("cp037"), b"text/plain; charset=ibm037"), "refused 415"),
    Attack("byte order mark", post(b"\xef\xbb\xbf" + chat(TEXT))),
    Attack("two byte order marks", post(b"\xef\xbb\xbf" * 2 + chat(TEXT))),
    Attack("text that begins like a bitmap", post(b"BM " + SAID, b"application/octet-stream", path=b"/")),
    Attack("text that begins like a film", post(b"helpftyp " + SAID, b"application/octet-stream", path=b"/")),
    Attack("text named image", post(SAID, b"image/png", path=b"/")),
    Attack("text with a NUL, named image", post(SAID + b" and so on\0", b"image/png", path=b"/")),
    Attack("text with a NUL, named binary", post(SAID + b" and so on\0", b"application/octet-stream", path=b"/")),
    Attack(
        "text inside the bytes of an image",
        post(b"\x89PNG\r\n\x1a\n\0\0" + SAID, b"image/png", path=b"/"),
        "passes",
        "images, sounds and films are not read",
    ),
    Attack("duplicate keys", post(b'{"messages":[{"content":"%b","content":"hi"}]}' % SAID), "refused 400"),
    Attack("duplicate keys, one escaped", post(b'{"inputs":"%b","\\u0069nputs":"hi"}' % SAID), "refused 400"),
    Attack("single quotes (JSON5)", post(chat(TEXT).replace(b'"', b"'"))),
    Attack(
        "hexadecimal escapes (JSON5)",
        post(b"{'inputs':'canary.bird\\x40coal-mine.com \\x41" + KEY[1:].encode() + b"'}"),
    ),
    Attack("comments", post(b"{/*c*/" + ESCAPED[1:])),
    Attack("trailing comma", post(ESCAPED[:-1] + b",}")),
    Attack("rubbish behind JSON", post(chat(TEXT) + b"rubbish")),
    Attack("NUL behind JSON", post(chat(TEXT) + b"\0")),
    Attack("NaN beside text", post(b'{"temperature":NaN,"inputs":"%b"}' % SAID)),
    Attack("top-level string", post(json.dumps(TEXT).encode(), path=b"/generate")),
    Attack("NUL inside of a key", post(chat(KEY[:9] + "\0" + KEY[9:]))),
    Attack("backspaces inside of an address", post(chat(MAIL.replace("@", "\b@\x1b")))),
    Attack("zero-width characters inside of an address", post(chat(MAIL.replace("@", "\u200b@\ufeff")))),
    Attack("full-width letters", post(chat("".join(chr(ord(c) + 0xFEE0) for c in MAIL)))),
    Attack("base64", post(chat("read " + base64.b64encode(SAID).decode()))),
    Attack("card as a number", inputs(CARD_B)),
    Attack("card as a float", inputs(CARD_B + b".0")),
    Attack("card with an exponent", inputs(b"4.539148803436467e15")),
    Attack("card in a list of numbers", inputs(b'"x","n":[1,%b]' % CARD_B)),
    Attack("card in a mixed list", inputs(b'"x","stop":["a",%b]' % CARD_B)),
    Attack("card as an object key", inputs(b'"x","%b":1' % CARD_B)),
    Attack(
        "card cut into four list items",
        inputs(b'["4539","1488","0343","6467"]'),
        "passes",
        "four texts are not one text; joining all lists would find numbers that nobody wrote",
    ),
    Attack("key in an identifier field", post(chat("x", tool_call_id=KEY))),
    Attack("text in `role`", post(json.dumps({"messages": [{"role": TEXT, "content": "x"}]}).encode())),
    Attack(
        "JSON in JSON in JSON",
        post(json.dumps({"inputs": json.dumps(json.dumps({"a": TEXT}))}).encode(), path=b"/generate"),
    ),
    Attack(
        "a data URL of an image that is words",
        post(chat("x", image_url={"url": "data:image/png;base64," + base64.b64encode(SAID + b" " * 60).decode()})),
    ),
    Attack(
        "a document in base64 (`file_data`)",
        post(chat("x", file_data=base64.b64encode(SAID + b" " * 60).decode())),
        "unread",
    ),
    Attack("list of token ids", inputs(b"[101,2023,102]"), "unread"),
    Attack("70 levels deep", post(b'{"a":' * 70 + b"1" + b"}" * 70), "refused 400"),
    Attack("query", post(chat("x"), path=b"/v1/chat/completions?u=" + MAIL.encode())),
    Attack("query of a route without texts", get(b"/info?q=" + MAIL.encode())),
    Attack("body of a route without texts", post(SAID, b"text/plain", path=b"/info", method=b"GET")),
    Attack("body of OPTIONS", post(chat(TEXT), method=b"OPTIONS")),
    Attack("body of HEAD", post(SAID, b"text/plain", path=b"/info", method=b"HEAD")),
    Attack("a name in the path", get(b"/v1/models/" + MAIL.encode()), "refused 400"),
    Attack(
        "request header", post(chat("x"), more=b"X-Note: " + SAID + b"\r\n"), "passes", "header values are not texts"
    ),
    Attack(
        "chunk extension",
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n%x;x=%b\r\n%b\r\n0\r\n\r\n" % (len(chat(TEXT)), KEY.encode(), chat(TEXT)),
    ),
    Attack("10,001 form fields", post(b"a&" * 10_001, b"application/x-www-form-urlencoded"), "refused 413"),
    Attack("800,000 empty events", post(b"\n" * 800_000, b"text/event-stream"), "refused 413"),
    Attack("1,000,000 empty lists", post(b"[" + b"[]," * 1_000_000 + b"1]"), "refused 413"),
    Attack("gzip bomb, 1000 to 1", coded(gzip.compress(b" " * (40 << 20)), b"gzip"), "refused 413"),
    Attack("gzip bomb in gzip", coded(gzip.compress(gzip.compress(b" " * (40 << 20))), b"gzip, gzip"), "refused 413"),
    Attack("brotli bomb", coded(brotli.compress(b" " * (40 << 20), quality=3), b"br"), "refused 413"),
    Attack("deflate bomb", coded(zlib.compress(b" " * (40 << 20)), b"deflate"), "refused 413"),
    Attack("20,000 distinct keys", post(json.dumps({f"k{n}": "" for n in range(20_000)}).encode()), "clean"),
]


def answer(body: bytes, kind: bytes = JSON, more: bytes = b"", status: bytes = b"200 OK") -> bytes:
    """A counted answer."""
    return b"HTTP/1.1 %b\r\nContent-Type: %b\r\n%bContent-Length: %d\r\n\r\n%b" % (status, kind, more, len(body), body)


def sent(raw: bytes) -> bytes:
    """A chunked event stream."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(raw), raw)


def event(*texts: str) -> bytes:
    """Events, each with one piece of text."""
    shape = 'data: {"choices":[{"index":0,"delta":{"content":%s}}]}\n\n'
    return "".join(shape % json.dumps(text) for text in texts).encode()


def said(text: str) -> bytes:
    return json.dumps({"choices": [{"index": 0, "message": {"role": "assistant", "content": text}}]}).encode()


HALVES = event(KEY[:9], KEY[9:] + " ")
GZIP = b"Content-Encoding: gzip\r\n"
PLAIN_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"

ANSWERS: list[Attack] = [
    Attack("plain JSON (the control)", answer(said(TEXT))),
    Attack("gzip", answer(gzip.compress(said(TEXT)), more=GZIP)),
    Attack("gzip in gzip", answer(gzip.compress(gzip.compress(said(TEXT))), more=b"Content-Encoding: gzip, gzip\r\n")),
    Attack("`Content-Encoding: gzip`, body not compressed", answer(said(TEXT), more=GZIP)),
    Attack("unknown Content-Encoding", answer(said(TEXT), more=b"Content-Encoding: foo\r\n")),
    Attack("two Content-Types", answer(said(TEXT), more=b"Content-Type: image/png\r\n"), "refused 502"),
    Attack("JSON named image", answer(said(TEXT), b"image/png"), "cut"),
    Attack("text in a drawing (SVG)", answer(b"<svg><text>" + SAID + b"</text></svg>", b"image/svg+xml")),
    Attack("text named binary", answer(SAID, b"application/octet-stream")),
    Attack("text with a NUL, named binary", answer(SAID + b" and so on\0", b"application/octet-stream")),
    Attack("no Content-Type", b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(SAID), SAID)),
    Attack("rubbish behind JSON", answer(b'{"a":1}' + SAID)),
    Attack("JSON in UTF-16", answer(said(TEXT).decode().encode("utf-16"))),
    Attack("partial content", answer(said(TEXT), status=b"206 Partial Content")),
    Attack("an error that repeats the prompt", answer(said(TEXT), status=b"422 No")),
    Attack("204 with a body", b"HTTP/1.1 204 No\r\nContent-Length: %d\r\n\r\n%b" % (len(SAID), SAID), "dropped"),
    Attack(
        "trailer", PLAIN_HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX: " + SAID + b"\r\n\r\n", "dropped"
    ),
    Attack(
        "chunk extension",
        PLAIN_HEAD + b"Transfer-Encoding: chunked\r\n\r\n2;x=" + KEY.encode() + b"\r\n{}\r\n0\r\n\r\n",
        "dropped",
    ),
    Attack("a second answer behind the first", answer(b"{}") + answer(said(TEXT)), "dropped"),
    Attack("interim answer with text", b"HTTP/1.1 103 Hints\r\nLink: " + SAID + b"\r\n\r\n" + answer(b"{}"), "dropped"),
    Attack("reason phrase", answer(b"{}", status=b"200 " + KEY.encode()), "dropped"),
    Attack(
        "101 Switching Protocols", b"HTTP/1.1 101 S\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n" + SAID, "refused 502"
    ),
    Attack(
        "length and chunks",
        PLAIN_HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SAID,
        "refused 502",
    ),
    Attack("two lengths", PLAIN_HEAD + b"Content-Length: 2\r\nContent-Length: 90\r\n\r\n{}" + SAID, "refused 502"),
    Attack("chunked behind gzip", PLAIN_HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "refused 502"),
    Attack("bare line feeds", b"HTTP/1.1 200 OK\nContent-Length: 2\n\n{}", "refused 502"),
    Attack("folded header", answer(b"{}", more=b"X: a\r\n b\r\n"), "refused 502"),
    Attack("carriage return inside of a header", answer(b"{}", more=b"X: a\rSet-Cookie: b=1\r\n"), "refused 502"),
    Attack("no head at all", SAID + b"\r\n\r\n", "refused 502"),
    Attack("answer header", answer(b"{}", more=b"X-Note: " + SAID + b"\r\n"), "passes", "header values are not texts"),
    Attack("words cut into events", sent(event(*TEXT))),
    Attack("comment between two halves", sent(event(KEY[:9]) + b": wait\n\n" + event(KEY[9:] + " "))),
    Attack("carriage returns end the lines", sent(event(TEXT).replace(b"\n", b"\r"))),
    Attack("no space behind `data:`", sent(event(TEXT).replace(b"data: ", b"data:"))),
    Attack("JSON over several data lines", sent(event(TEXT).replace(b'"delta"', b'\ndata: "delta"'))),
    Attack(
        "mark in the middle of a stream",
        sent(event(KEY[:9]) + b"\xef\xbb\xbf" + event("zz") + event(KEY[9:] + " ")),
        "cut",
    ),
    Attack("duplicate keys in an event", sent(HALVES.replace(b'"delta":{', b'"delta":{"content":"z",')), "cut"),
    Attack("escapes", sent(event(TEXT).replace(b"@", b"\\u0040"))),
    Attack("event name", sent(b"event: " + KEY.encode() + b"\n" + event("x"))),
    Attack("event id", sent(b"id: " + MAIL.encode() + b"\n" + event("x"))),
    Attack("retry", sent(b"retry: " + CARD_B + b"\n" + event("x"))),
    Attack("comment", sent(b": " + SAID + b"\n" + event("x"))),
    Attack("unfinished last event", sent(event("x") + event(TEXT)[:-2])),
    Attack("events behind [DONE]", sent(event("x") + b"data: [DONE]\n\n" + event(TEXT))),
    Attack("an event of 2 MB", sent(event("a" * (2 << 20) + " " + TEXT)), "cut"),
    Attack("gzip event stream", answer(gzip.compress(event(TEXT)), b"text/event-stream", GZIP)),
    Attack("event stream named JSON", answer(event(MAIL[:11], MAIL[11:] + " "))),
    Attack("event stream named text", answer(event(MAIL[:11], MAIL[11:] + " "), b"text/plain")),
    Attack(
        "NDJSON in pieces",
        answer(
            b'{"message":{"content":"canary.bird"}}\n{"message":{"content":"@coal-mine.com"}}\n',
            b"application/x-ndjson",
        ),
    ),
    Attack(
        "card as a number in an event", sent(b'data: {"choices":[{"index":0,"delta":{"content":%b}}]}\n\n' % CARD_B)
    ),
    Attack("card in an unknown field of an event", sent(b'data: {"card":%b}\n\n' % CARD_B)),
    Attack("index missing, then 0", sent(event(MAIL[:11]).replace(b'"index":0,', b"") + event(MAIL[11:] + " "))),
    Attack(
        "another choice in between",
        sent(event(MAIL[:11]) + event("zz").replace(b":0,", b":1,") + event(MAIL[11:] + " ")),
    ),
]

ELSEWHERE: list[tuple[str, str, str]] = [
    (
        "request smuggling and desync: 80 probes, cut at every byte",
        "refused",
        "proxy/test_reader.py::test_a_probe_is_refused_however_it_is_cut",
    ),
    (
        "whatever passes is read by a second parser (h11) in the same way",
        "agreed",
        "proxy/test_reader.py::test_whatever_is_accepted_is_read_by_h11_in_the_same_way",
    ),
    ("an answer that lies about its length", "refused or cut", "proxy/test_flow.py::test_lies_about_length"),
    (
        "bytes nobody asked for on a kept connection",
        "connection closed",
        "proxy/test_pool.py::test_what_nobody_asked_for_costs_the_connection",
    ),
    ("line breaks in headers, either way", "refused", "proxy/test_heads.py::test_a_line_break_never_leaves"),
    (
        "hop-by-hop headers and names in Connection",
        "dropped or refused",
        "proxy/test_flow.py::test_hop_by_hop_headers_go_neither_way",
    ),
    ("paths with two meanings", "refused", "wire/test_route.py::test_a_target_with_two_meanings_is_refused"),
    (
        "administrative routes of model servers",
        "refused",
        "wire/test_route.py::test_administrative_routes_are_closed_with_the_reason",
    ),
    ("slowloris, head and body", "408", "proxy/test_client.py::test_a_slowloris_that_drips_is_given_up"),
    ("too many connections", "503", "proxy/test_client.py::test_too_many_connections"),
    ("a caller that sends far ahead", "not read", "proxy/test_client.py::test_a_caller_too_far_ahead_is_not_read"),
    (
        "chunks that are mostly framing",
        "refused",
        "proxy/test_reader.py::test_chunks_that_are_mostly_framing_are_refused",
    ),
    (
        "oversized head, target, headers, body",
        "431, 414, 413",
        "proxy/test_reader.py::test_what_is_too_large_is_told_apart",
    ),
    ("endless interim answers", "refused", "proxy/test_upstream.py::test_endless_interim_answers_are_refused"),
    ("an event without an end", "cut", "wire/test_stream.py::test_an_event_without_end_is_refused"),
    (
        "SSRF through an external check's address",
        "refused",
        "proxy/test_external.py::test_a_private_address_is_not_connected_to",
    ),
    (
        "custom patterns that exhaust a backtracker",
        "answer at once",
        "policy/test_pattern.py::test_a_pattern_that_would_exhaust_a_backtracker_answers_at_once",
    ),
    (
        "custom patterns that exhaust the compiler",
        "killed",
        "config/test_compile.py::test_a_rule_that_takes_too_long_is_killed_and_named",
    ),
    (
        "labels from callers' words in metrics",
        "bounded",
        "proxy/test_metrics.py::test_no_word_of_a_caller_becomes_a_label",
    ),
    (
        "terminal escapes and markup in stored traces",
        "inert",
        "cli/test_kept.py::test_a_trace_is_shown_whole_and_markup_in_it_does_nothing",
    ),
    (
        "protected keys in logs and exceptions",
        "never written",
        "cli/test_logs.py::test_protected_keys_and_exception_messages_are_never_written",
    ),
    (
        "a canary in everything a caller may send",
        "on no disk, log or reply",
        "test_canary.py::test_no_file_log_or_reply_holds_what_was_protected",
    ),
    (
        "settings with secrets in error messages",
        "never repeated",
        "config/test_settings.py::test_no_value_is_ever_repeated",
    ),
    (
        "collector: bombs and oversized batches",
        "413",
        "collector/test_app.py::test_bodies_are_bounded_on_the_wire_and_unpacked",
    ),
    ("collector: no token, wrong token", "401", "collector/test_app.py::test_no_route_answers_without_a_good_token"),
    (
        "dashboard: stored markup in every field",
        "text",
        "dashboard/test_attacks.py::test_stored_markup_stays_text_everywhere",
    ),
    ("dashboard: spreadsheet formulas", "text", "dashboard/test_attacks.py::test_spreadsheets_get_no_formulas"),
    ("dashboard: CSRF", "refused", "dashboard/test_app.py::test_changes_from_other_sites_are_refused"),
    ("dashboard: a change without its token", "refused", "dashboard/test_app.py::test_every_change_asks_for_the_token"),
    (
        "dashboard: another role's pages and objects (IDOR)",
        "refused",
        "dashboard/test_app.py::test_each_role_is_kept_from_what_it_may_not",
    ),
    ("dashboard: Host header", "decides nothing", "dashboard/test_app.py::test_the_host_header_decides_nothing"),
    (
        "dashboard: open redirect at sign-in",
        "refused",
        "dashboard/views/test_door.py::test_sign_in_goes_only_to_our_own_pages",
    ),
    (
        "dashboard: guessing passwords, naming users",
        "slowed, told nothing",
        "dashboard/views/test_door.py::test_unknown_names_are_told_nothing_else",
    ),
    (
        "dashboard: cookie read by scripts or other sites",
        "closed",
        "dashboard/views/test_door.py::test_the_cookie_is_closed_to_scripts_and_other_sites",
    ),
]
