from akto_proxy.exchange.caller import LONGEST, Callers, printable


def test_the_credential_is_hashed_whole_and_keyed():
    callers, others = Callers(b"a" * 32), Callers(b"b" * 32)
    one = callers.read([(b"Authorization", b"Bearer hf_one")], "1.2.3.4").key
    assert one
    assert "hf_one" not in one
    assert one == callers.read([(b"authorization", b"Bearer hf_one")], "9.9.9.9").key
    assert one != callers.read([(b"Authorization", b"Bearer hf_two")], "1.2.3.4").key
    assert one != others.read([(b"Authorization", b"Bearer hf_one")], "1.2.3.4").key


def test_the_cache_of_hashes_is_bounded():
    callers = Callers(b"a" * 32)
    keys = {callers.read([(b"Authorization", b"%d" % n)], "").key for n in range(5000)}
    assert len(keys) == 5000
    assert len(callers._hashes) <= 4096


def test_who_called_is_read_from_headers():
    headers = [(b"X-User-Id", b"jo"), (b"X-Team-Id", b"ops"), (b"X-Agent-Name", b"bot"), (b"X-Session-Id", b"s1")]
    caller = Callers(b"a").read(headers, "1.2.3.4")
    assert (caller.user, caller.team, caller.agent, caller.session) == ("jo", "ops", "bot", "s1")


def test_forwarded_addresses_are_believed_only_from_trusted_peers():
    headers = [(b"X-Forwarded-For", b"8.8.8.8, 10.0.0.7")]
    assert Callers(b"a").read(headers, "10.0.0.1").ip == "10.0.0.1"
    assert Callers(b"a", ["10.0.0.0/8"]).read(headers, "10.0.0.1").ip == "8.8.8.8"
    assert Callers(b"a", ["10.0.0.1/32"]).read(headers, "10.0.0.1").ip == "10.0.0.7"
    assert Callers(b"a", ["10.0.0.0/8"]).read([(b"X-Forwarded-For", b"evil")], "10.0.0.1").ip == "10.0.0.1"


def test_values_are_bounded_and_printable():
    assert len(printable(b"x" * 1000)) == LONGEST
    assert printable(b"a\x1b[31mb\r\n") == "a\ufffd[31mb\ufffd\ufffd"


def test_a_key_of_ours_says_who_calls_whatever_the_headers_claim():
    class Key:
        id, team, user = "akto-1", "search", ""

    callers = Callers(b"a", holder=lambda value: Key() if value == b"Bearer ours" else None)
    headers = [(b"X-Team-Id", b"admins"), (b"X-User-Id", b"u"), (b"Authorization", b"Bearer ours")]
    known = callers.read(headers, "1.2.3.4")
    assert (known.key, known.team, known.user) == ("akto-1", "search", "u")
    stranger = callers.read([(b"X-Team-Id", b"admins"), (b"Authorization", b"Bearer other")], "1.2.3.4")
    assert stranger.team == ""
    assert stranger.key not in ("", "akto-1")
