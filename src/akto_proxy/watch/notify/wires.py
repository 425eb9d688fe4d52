"""Channels that are not HTTP: mail, syslog, and what the apprise library knows; each with a time-out."""

from __future__ import annotations

import asyncio
import smtplib
import socket
import ssl
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from importlib import import_module

from akto_proxy.errors import ConfigError
from akto_proxy.watch.desk import Notice
from akto_proxy.watch.notify import text
from akto_proxy.watch.notify.connect import TIMEOUT, resolve
from akto_proxy.watch.notify.forms import PRODUCT, syslog
from akto_proxy.watch.notify.schema import Channel


async def send_mail(channel: Channel, notice: Notice, now: float, tls: ssl.SSLContext) -> None:
    """Hand one mail to the server. Raises OSError, SMTPException or RefusedAddressError."""
    address = await resolve(channel.host, channel.peer_port, private=channel.allow_private)
    message = EmailMessage()
    message["Subject"] = text.title(notice)
    message["From"] = channel.sender
    message["To"] = ", ".join(channel.to)
    message["Date"] = formatdate(now)
    message["Message-ID"] = make_msgid(domain=PRODUCT)
    message["Auto-Submitted"] = "auto-generated"
    message["References"] = f"<{notice.incident.id}@{PRODUCT}>"  # mail programs show one incident as one thread
    message.set_content(text.body(notice, channel.link))
    await asyncio.to_thread(_smtp, channel, address, message, tls)


class _Smtp(smtplib.SMTP):
    """Dials the address that was checked, and speaks TLS to the name."""

    def __init__(self, address: str, channel: Channel, tls: ssl.SSLContext) -> None:
        self._address = address
        self._wrap = tls if channel.transport == "tls" else None
        super().__init__(channel.host, channel.peer_port, timeout=TIMEOUT)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        plain = socket.create_connection((self._address, port), timeout)
        return self._wrap.wrap_socket(plain, server_hostname=host) if self._wrap else plain


def _smtp(channel: Channel, address: str, message: EmailMessage, tls: ssl.SSLContext) -> None:
    with _Smtp(address, channel, tls) as server:
        if channel.transport == "starttls":
            server.starttls(context=tls)
        if channel.user:
            server.login(channel.user, channel.key)
        server.send_message(message)


async def send_syslog(channel: Channel, notice: Notice, now: float, host: str, tls: ssl.SSLContext) -> None:
    """Send one line: framed by its length over TCP and TLS (RFC 6587, 5425), as a datagram over UDP."""
    line = syslog(channel, notice, now, host)
    address = await resolve(channel.host, channel.peer_port, private=channel.allow_private)
    if channel.transport == "udp":
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(
            asyncio.DatagramProtocol, remote_addr=(address, channel.peer_port)
        )
        transport.sendto(line[:8192])
        transport.close()
        return
    secure = channel.transport == "tls"
    async with asyncio.timeout(TIMEOUT):
        _, writer = await asyncio.open_connection(
            address, channel.peer_port, ssl=tls if secure else None, server_hostname=channel.host if secure else None
        )
        try:
            writer.write(f"{len(line)} ".encode() + line)
            await writer.drain()
        finally:
            writer.close()
            await writer.wait_closed()


async def send_apprise(channel: Channel, notice: Notice) -> bool:
    """Through the apprise library, which dials by itself: the address check is not made, so it must be waived.

    Raises:
        ConfigError: the library is not installed, or the check was not waived.
    """
    if not channel.allow_private:
        raise ConfigError("kind apprise dials by itself: it needs `allow_private: true`")
    try:
        apprise = await asyncio.to_thread(import_module, "apprise")  # half a second, in which no other channel waits
    except ImportError:
        raise ConfigError("kind apprise needs the library: pip install apprise") from None
    sender = apprise.Apprise()
    sender.add(channel.address)
    said = await asyncio.wait_for(
        sender.async_notify(body=text.body(notice, channel.link), title=text.title(notice)), 2 * TIMEOUT
    )
    return bool(said)
