"""Addresses in a text: images and links that carry data away, and forms of address that hide where they lead.

A chat page loads a markdown image without asking, so an image address is a way out for whatever it carries. The score
rises with what it could carry: a plain picture stays below what policies take by default. Hosts that an operator
trusts are let pass in the policy (`allow`), so there is one place for that.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from urllib.parse import urlsplit

import re2

from akto_proxy.guard.output.base import Structural
from akto_proxy.model import Finding

_IMAGE = re2.compile(
    r"""(?i)!\[[^\]]{0,500}\]\(\s*<?([a-z][a-z0-9+.-]{1,20}:[^\s)>]+|//[^\s)>]+)|<img\b[^>]{0,500}?\bsrc\s*=\s*["']?([a-z]+:[^\s"'>]+|//[^\s"'>]+)"""
)
_LINK = re2.compile(r"""(?i)(?:\]\(\s*<?|\]:\s{0,3}<?|href\s*=\s*["']?|^|[\s(<"'])(https?://[^\s<>"')\]]+)""")
_ODD = re2.compile(
    r"""(?i)\b((?:https?|ftp)://[^\s<>"')\]]+|(?:javascript|vbscript):[^\s<>"')]{1,500}|data:(?:text/html|application/[a-z.+-]{1,40}|image/svg\+xml)[;,][^\s<>"')]+)"""
)
#: Networks in which a bare address is ordinary.
_INSIDE = tuple(
    ipaddress.ip_network(net) for net in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7")
)
#: A value in an address this long may be data on its way out; a shorter one is more likely a size, a style or a page.
_CARGO = 24
_SMALL = 8


def _host(url: str) -> str:
    try:
        return (urlsplit(url if ":" in url.split("/", 1)[0] else "https:" + url).hostname or "").rstrip(".").lower()
    except ValueError:
        return ""


def _cargo(url: str) -> int:
    """The length of the longest value that an address carries: in its query, its fragment or a long path part."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return len(url)
    values = [item.partition("=")[2] or item for item in (parts.query + "&" + parts.fragment).split("&")]
    slugs = [part for part in parts.path.split("/") if "-" not in part and "." not in part and len(part) > 2 * _CARGO]
    return max((len(v) for v in (*values, *slugs)), default=0)


class ExfiltrationDetector(Structural):
    """Markdown and HTML images and links that carry data. In what a model answers. Rule `markdown-exfiltration`."""

    name = "markdown-exfiltration"
    category = "exfiltration"
    entity = "EXFILTRATION"
    only_answers = True

    def may(self, text: str) -> bool:
        """An address that is fetched has slashes."""
        return "//" in text

    def see(self, text: str) -> list[Finding]:
        """Images first, then links that carry data."""
        found = []
        for start, end, url in _urls(_IMAGE, text, (1, 2)) if "![" in text or "<" in text else ():
            cargo = _cargo(url)
            found.append(self.found(start, end, 0.4 if cargo < _SMALL else 0.6 if cargo < _CARGO else 0.95))
        taken = {f.start for f in found}
        for start, end, url in _urls(_LINK, text, (1,)):
            if start not in taken and _cargo(url) >= 3 * _CARGO:
                found.append(self.found(start, end, 0.6))
        return found


class UrlDetector(Structural):
    """Addresses whose form misleads: bare numbers for a host, punycode, a name before an @, code instead of a place.

    Rule `misleading-url`.
    """

    name = "misleading-url"
    category = "misleading-url"
    entity = "URL"

    def may(self, text: str) -> bool:
        """An address has a scheme."""
        return ":" in text

    def see(self, text: str) -> list[Finding]:
        """One finding for each address that looks misleading."""
        scored = ((start, end, _oddness(url)) for start, end, url in _urls(_ODD, text, (1,)))
        return [self.found(start, end, score) for start, end, score in scored if score]


def _oddness(url: str) -> float:
    scheme = url.split(":", 1)[0].lower()
    return 0.9 if scheme in ("javascript", "vbscript", "data") else max(_odd_host(_host(url)), _odd_name(url))


def _odd_host(host: str) -> float:
    if not host:
        return 0.6
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        if all(part.isdigit() or part.startswith("0x") for part in host.split(".")):
            return 0.9  # 3232235777, 0xC0A80101, 0300.0250.0.1: an address that is not written as one
        return 0.7 if "xn--" in host or not host.isascii() else 0.0
    inside = address.is_loopback or any(address in net for net in _INSIDE if net.version == address.version)
    return 0.0 if inside else 0.6


def _odd_name(url: str) -> float:
    netloc = url.split("//", 1)[-1].split("/", 1)[0].split("?", 1)[0]
    if "@" in netloc:
        name = netloc.rsplit("@", 1)[0]
        return 0.9 if "." in name else 0.5
    return 0.8 if "\\" in netloc or "%" in netloc else 0.0


def _urls(pattern: re2._Regexp, text: str, groups: tuple[int, ...]) -> Iterator[tuple[int, int, str]]:
    for match in pattern.finditer(text):
        for group in groups:
            if match.group(group) is not None:
                yield match.start(group), match.end(group), match.group(group)
