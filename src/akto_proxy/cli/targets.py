"""Where the parts of a deployment are, as the settings say: the endpoint, the running proxy, the servers of traces.

Looking must not make anything: a key that is not there yet is no key.
"""

from __future__ import annotations

from akto_proxy.config.keys import key_of
from akto_proxy.config.settings import Settings
from akto_proxy.doctor.facts import Target
from akto_proxy.doctor.ingestion import Ingestion, target_of
from akto_proxy.errors import ConfigError
from akto_proxy.proxy.options import parse_upstream

DEMO_PORT = 8099
INGEST_KEY = "ingest.key"


def demo_port(settings: Settings) -> int:
    """The demonstration endpoint's port: beside the proxy's, so that two trees on one machine do not meet."""
    return settings.akto_proxy_port + 19 if settings.akto_proxy_port < 65_000 else DEMO_PORT


def demo_url(settings: Settings) -> str:
    """Where the demonstration endpoint answers."""
    return f"http://127.0.0.1:{demo_port(settings)}"


def upstream(settings: Settings) -> Target:
    """What APP_URL, CONNECT_TO and CA_FILE say, or the demonstration endpoint."""
    found = parse_upstream(
        settings.app_url or demo_url(settings), connect_to=settings.connect_to if settings.app_url else ""
    )
    return Target(
        found.scheme,
        found.host,
        found.port,
        found.prefix,
        found.connect_host,
        found.connect_port,
        settings.ca_file if settings.app_url else "",
    )


def proxy_target(settings: Settings, url: str) -> Target:
    """The running proxy: this machine's own is asked at its loopback address, whatever name its certificate has."""
    if url:
        return target_of(url)
    host = "127.0.0.1" if settings.listen_host in ("0.0.0.0", "::") else settings.listen_host  # noqa: S104
    scheme = "https" if settings.tls_cert else "http"
    return target_of(f"{scheme}://{host}:{settings.akto_proxy_port}", verify=False)


def servers(settings: Settings) -> list[Ingestion]:
    """The servers that take this deployment's traces: its own, if its key is here, and the one that is set."""
    found = []
    own = own_token(settings)
    if own:
        host = "127.0.0.1" if settings.server_host in ("0.0.0.0", "::") else settings.server_host  # noqa: S104
        found.append(Ingestion(target_of(f"http://{host}:{settings.server_port}"), own, "collector", True))
    if settings.akto_api_base_url:
        target = target_of(settings.akto_api_base_url)
        found.append(Ingestion(target, remote_token(settings), settings.ingest_form, False))
    return found


def local_token(settings: Settings) -> str:
    """The secret with which the parts of this deployment know each other."""
    return key_of(settings, INGEST_KEY).hex()


def remote_token(settings: Settings) -> str:
    """What AKTO_API_BASE_URL is asked with: AKTO_API_TOKEN, else the secret that a shared DEPLOYMENT_KEY gives."""
    token = settings.akto_api_token.get_secret_value()
    shared = settings.master_key and settings.ingest_form == "collector"
    return local_token(settings) if shared and not token else token


def own_token(settings: Settings) -> str:
    """The secret of this deployment as far as it can be read from here; looking must not draw one."""
    try:
        return local_token(settings) if settings.master_key or (settings.data_path / INGEST_KEY).is_file() else ""
    except (ConfigError, OSError):
        return ""
