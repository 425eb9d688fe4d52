"""Verdicts about the way to the endpoint: name, forward proxies, TCP, TLS, clock, packet size. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from email.utils import parsedate_to_datetime
from fnmatch import fnmatchcase
from ipaddress import ip_address, ip_network

from akto_proxy.doctor.facts import DnsFacts, HttpFacts, ProxyEnvironment, Target, TcpFacts, TlsFacts
from akto_proxy.doctor.result import Result, Trouble, fail, ok, skip, warn

SKEW_WARN = 30.0
SKEW_FAIL = 300.0
"""Seconds of clock difference: traces and tokens go wrong long before certificates do."""
EXPIRY_WARN = 14 * 86_400.0
PRIVATELINK_MTU = 8500
DAY = 86_400.0


def is_private(address: str) -> bool:
    """Whether an address means nothing outside a private network (RFC 1918, RFC 4193, shared, link-local, loopback)."""
    return not ip_address(address.partition("%")[0]).is_global


def dns(facts: DnsFacts, *, private: bool) -> Result:
    """Does the name resolve, and only to private addresses? `private` says that it must."""
    name = "dns"
    if not facts.addresses:
        return _unresolved(name, facts)
    public = [a for a in facts.addresses if not is_private(a)]
    shown = ", ".join(facts.addresses[:8])
    if not public:
        return ok(name, f"{facts.name} resolves to private addresses only: {shown}")
    why = "traffic to it leaves the private network, whatever the others are"
    fix = (
        "set private DNS on the interface endpoint, or a private hosted zone with the endpoint's name, "
        "or CONNECT_TO=<vpce DNS name>; then ask this machine's resolver again"
    )
    if len(public) < len(facts.addresses):
        return fail(
            name,
            f"{facts.name} resolves to private and public addresses; public: {', '.join(public)}: {why}",
            fix,
            Trouble.REACH,
        )
    what = f"{facts.name} resolves to public addresses ({', '.join(public[:8])}): prompts cross the internet"
    return fail(name, what, fix, Trouble.REACH) if private else warn(name, what, f"if it should be private: {fix}")


def _unresolved(name: str, facts: DnsFacts) -> Result:
    asked = f" (asked {', '.join(facts.resolvers)})" if facts.resolvers else ""
    if facts.rcode == "NODATA":
        what = f"{facts.name} exists but its resolver gives no address{asked}: rebind protection does so"
        fix = (
            "a resolver that drops private answers (dnsmasq --stop-dns-rebind, unbound private-address, many home and "
            "office routers) must except this name (rebind-domain-ok), or use the VPC's own resolver (VPC base + 2)"
        )
        return fail(name, what, fix, Trouble.REACH)
    if facts.rcode == "NXDOMAIN":
        what = f"{facts.name} does not exist for this machine's resolver{asked}"
        fix = "check APP_URL for a typing error, that the endpoint still exists, and that this machine asks the VPC's"
        return fail(name, what, f"{fix} resolver (enableDnsSupport and enableDnsHostnames on)", Trouble.REACH)
    detail = f" ({facts.rcode})" if facts.rcode else ""
    what = f"{facts.name} cannot be resolved{detail}{asked}"
    fix = "check /etc/resolv.conf and that UDP and TCP 53 to the resolver are open"
    return fail(name, what, fix, Trouble.REACH)


def environment(facts: ProxyEnvironment, hosts: Sequence[str]) -> Result:
    """Would clients in this environment send the call through a forward proxy?"""
    name = "forward proxy"
    if not facts.variables:
        return ok(name, "no HTTP_PROXY, HTTPS_PROXY or ALL_PROXY is set")
    leaking = [host for host in hosts if host and not _excepted(host, facts.no_proxy)]
    names = ", ".join(facts.variables)
    if not leaking:
        return ok(name, f"{names} set, but NO_PROXY excepts {', '.join(h for h in hosts if h)}")
    what = (
        f"{names} set and NO_PROXY does not except {', '.join(leaking)}: clients here would send prompts and tokens "
        "through that proxy (akto-proxy itself never uses it)"
    )
    return warn(name, what, f"set NO_PROXY={','.join(leaking)} for clients, or unset {names}", Trouble.REACH)


def _excepted(host: str, patterns: Sequence[str]) -> bool:
    return any(_covers(pattern.strip().lower(), host.lower()) for pattern in patterns)


def _covers(pattern: str, host: str) -> bool:
    if pattern in ("*", host):
        return True
    if "/" in pattern:
        try:
            return ip_address(host) in ip_network(pattern, strict=False)
        except ValueError:
            return False
    bare = pattern.removeprefix("*").removeprefix(".")
    return bool(bare) and (host.endswith("." + bare) or fnmatchcase(host, pattern))


def tcp(facts: TcpFacts, target: Target) -> Result:
    """Does every address take a connection?"""
    name = "tcp"
    if not facts.outcomes:
        return skip(name, "there is no address to connect to")
    bad = [(address, reason) for address, reason in facts.outcomes if reason]
    if not bad:
        many = len(facts.outcomes)
        return ok(name, f"{many} of {many} addresses take connections on port {facts.port} ({facts.seconds:.3f} s)")
    shown = ", ".join(f"{address} ({reason})" for address, reason in bad[:8])
    what = f"port {facts.port} of {target.dial[0]}: no connection to {shown}"
    if len(bad) < len(facts.outcomes):
        return warn(name, f"{what}; the others work", _TCP_FIX.get(bad[0][1], _TCP_FIX["error"]), Trouble.REACH)
    return fail(name, what, _TCP_FIX.get(bad[0][1], _TCP_FIX["error"]), Trouble.REACH)


_TCP_FIX = {
    "timeout": "packets are dropped: the interface endpoint's security group must let TCP 443 in from the proxy's, the "
    "proxy's must let it out, and network ACLs must let both ways pass",
    "refused": "the machine answers but nothing listens there: check the port in APP_URL and CONNECT_TO",
    "unreachable": "there is no route: check the subnet's route table, peering, transit gateway and address family",
    "error": "check the address, the route and the firewall between",
}


def tls(facts: TlsFacts, now: float) -> Result:
    """Is the certificate this name's, trusted, and good for a while?"""
    name = "tls"
    if facts.reason:
        what, fix = _TLS.get(facts.reason, _TLS["handshake"])
        seen = f" It is for {', '.join(facts.names[:4])}, issued by {facts.issuer or 'unknown'}." if facts.names else ""
        detail = f" ({facts.detail})" if facts.detail and facts.reason == "handshake" else ""
        return fail(name, f"{facts.name}: {what}{detail}.{seen}", fix, Trouble.REACH)
    left = facts.not_after - now
    day = f"{left / DAY:.0f} days"
    if left < EXPIRY_WARN:
        return warn(name, f"the certificate of {facts.name} ends in {day}", "have it renewed before clients fail")
    return ok(name, f"{facts.version}, certificate of {facts.name} by {facts.issuer}, good for {day}")


_TLS = {
    "expired": (
        "the certificate has expired",
        "have it renewed; if other machines accept it, this machine's clock is wrong",
    ),
    "not_yet": ("the certificate is not valid yet", "set this machine's clock (chrony, systemd-timesyncd)"),
    "name": (
        "the certificate is for another name",
        "APP_URL must hold the endpoint's own name; to dial an interface endpoint's name or address, leave APP_URL and "
        "set CONNECT_TO",
    ),
    "authority": (
        "the certificate's authority is not trusted here",
        "set CA_FILE to your authority's PEM file; if you expect a public authority, something between opens TLS",
    ),
    "plain": ("the port does not speak TLS", "use http:// in APP_URL, or the port that does speak TLS"),
    "timeout": (
        "the handshake got no answer",
        "TCP connects but TLS does not pass: a firewall that inspects, or packets larger than the path takes (MTU)",
    ),
    "handshake": ("the TLS handshake failed", "check the port, and that nothing between changes TLS"),
    "closed": ("the other side hung up in the handshake", "check the port, and that the name (SNI) is served there"),
}


def clock(facts: HttpFacts) -> Result:
    """Does this machine's clock agree with the endpoint's?"""
    name = "clock"
    stamp = facts.headers.get("date", "")
    try:
        theirs = parsedate_to_datetime(stamp).timestamp()
    except (ValueError, TypeError):
        return skip(name, "the endpoint sent no date to compare with")
    skew = facts.at - theirs
    what = f"this machine's clock is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} the endpoint's"
    fix = "run a time service (chrony, systemd-timesyncd; on AWS 169.254.169.123)"
    if abs(skew) > SKEW_FAIL:
        return fail(name, what, fix, Trouble.AUTH)
    if abs(skew) > SKEW_WARN:
        return warn(name, what, fix)
    return ok(name, f"within {max(abs(skew), 1):.0f} s of the endpoint's")


def packets(small: HttpFacts, large: HttpFacts, mtu: int) -> Result:
    """Does a request of many packets pass where a small one did?"""
    name = "mtu"
    shown = f"MTU {mtu} towards the endpoint" if mtu else "the MTU is not known here"
    if small.error:
        return skip(name, "a small request did not pass either")
    if large.error in ("timeout", "closed") and small.status:
        what = f"a small request is answered, one of many packets is not ({large.error}); {shown}"
        fix = (
            f"PrivateLink takes packets up to {PRIVATELINK_MTU} bytes and answers no path discovery: let ICMP "
            "'fragmentation needed' pass, or lower the MTU (ip link set dev eth0 mtu 1500)"
        )
        return fail(name, what, fix, Trouble.REACH)
    if 0 < mtu < 1280:
        return warn(name, shown, "below 1280 IPv6 does not work and every request takes many packets; check tunnels")
    return ok(name, f"{shown}; a request of many packets passes")
