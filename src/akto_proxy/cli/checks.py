"""What would make a part die at its start, looked at once before any part starts: one sentence instead of a loop.

A port is tried as the part would take it: the proxy's is shared between workers (and with a tree that is being replaced
on the same port), the others are one program's alone. Between the try and the taking somebody may come first; then the
part says so itself.
"""

from __future__ import annotations

import os
import socket

from akto_proxy.cli.targets import demo_port
from akto_proxy.config.settings import Settings
from akto_proxy.errors import ConfigError
from akto_proxy.limits.schema import parse_limits
from akto_proxy.proxy.options import Tls, parse_upstream
from akto_proxy.proxy.pool import client_context
from akto_proxy.proxy.server import server_context
from akto_proxy.watch.notify.schema import parse_channels
from akto_proxy.watch.schema import parse_alerts


def check(settings: Settings, *, proxy: bool, server: bool) -> None:
    """Look at ports, certificates, the endpoint's address, limits, alerts and channels; `proxy` and `server` say which
    parts are to start.

    Raises:
        ConfigError: what cannot be used, and the setting that says so.
    """
    parse_limits(settings.limits)
    if server:
        check_port(settings.server_host, settings.server_port, "SERVER_PORT")
        parse_alerts(settings.alerts)
        parse_channels(settings.notify, os.environ)
    if not proxy:
        return
    check_port(settings.listen_host, settings.akto_proxy_port, "AKTO_PROXY_PORT", shared=True)
    if settings.demo:
        port = demo_port(settings)
        check_port("127.0.0.1", port, f"19 above AKTO_PROXY_PORT, for the demonstration endpoint: {port}")
    else:
        parse_upstream(settings.app_url, connect_to=settings.connect_to, ca=settings.ca_file)
        if settings.app_url.startswith("https:"):
            client_context(settings.ca_file)
    if settings.tls_cert:
        server_context(Tls(settings.tls_cert, settings.tls_key))


def check_port(host: str, port: int, setting: str, *, shared: bool = False) -> None:
    """Try to take a port; 0 is any port.

    Raises:
        ConfigError: another program has it, or the host is none of this machine's addresses.
    """
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError:
        raise ConfigError(f"{host} is no address to listen on; see {setting} and its host") from None
    with socket.socket(family, kind) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            probe.bind(address)
            probe.listen(1)
        except OSError as error:
            why = error.strerror or type(error).__name__
            message = f"cannot listen on {host}:{port} ({why}): stop the program there, or choose another ({setting})"
            raise ConfigError(message) from None
