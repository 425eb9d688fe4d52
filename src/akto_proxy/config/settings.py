"""All that the operator chose: environment variables over one YAML file over defaults; read once, checked, frozen.

A setting has one name everywhere: `REQUEST_TIMEOUT` in the environment is `request_timeout` in the file. Names that
Akto's own agent proxy documents keep their name, unit and meaning. Trade-off: everything is checked at start and one
mistake refuses the start, because a security proxy that runs with a misread setting is worse than one that does not.
"""

from __future__ import annotations

import base64
import difflib
import os
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, cast
from urllib.parse import urlsplit

import yaml
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, EnvSettingsSource, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from akto_proxy.config.mistakes import expected
from akto_proxy.errors import ConfigError

CONFIG_VARIABLE = "AKTO_PROXY_CONFIG"
Port = Annotated[int, Field(ge=0, le=65535)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]
Size = Annotated[int, Field(ge=0, le=1 << 32)]
Listed = Annotated[tuple[str, ...], NoDecode]


class EndpointLabel(BaseModel):
    """A part of the upstream with its own sensitivity: `paths` are globs over the canonical path."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str
    paths: tuple[str, ...] = ("*",)
    sensitivity: Literal["public", "internal", "confidential", "restricted"] = "internal"


class Settings(BaseSettings):
    """Every setting, with its unit and default. docs/settings.md says the same in words, checked by a test."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", case_sensitive=False)

    akto_api_token: SecretStr = Field(SecretStr(""), description="Token for the ingestion server, sent as it is.")
    akto_api_base_url: str = Field("", description="Ingestion server beside the embedded one (Akto, or ours).")
    app_url: str = Field("", description="What is guarded: a Hugging Face endpoint or an agent application.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="How much is logged.")

    log_format: Literal["auto", "json", "console"] = Field("auto", description="`auto`: console on a terminal.")
    akto_proxy_port: Port = Field(8080, description="Port the proxy listens on.")
    akto_proxy_host: str = Field("", description="Address to listen on. Empty: all with APP_URL, loopback without.")
    project_name: str = Field("default", description="Names the deployment in traces and in Akto.")
    app_type: Literal["agent", "mcp-server"] = Field("agent", description="What APP_URL is, as Akto names it.")
    app_server_name: str = Field("", description="Name of the endpoint in policies. Empty: host of APP_URL.")
    auth: Literal["pass", "managed"] = Field(
        "pass", description="`pass`: callers' tokens go on; `managed`: they need keys of ours (docs/keys.md)."
    )
    upstream_token: SecretStr = Field(
        SecretStr(""), description="AUTH=managed: the Hugging Face token that goes upstream in place of the key."
    )
    keys_file: str = Field("", description="AUTH=managed: the file of keys. Empty: keys.json in DATA_DIR.")
    request_timeout: Seconds = Field(120.0, description="Seconds without a byte from upstream before 504.")
    max_request_size: Size = Field(0, description="Request body bytes; 0 is the built-in limit of 32 MiB.")
    max_response_size: Size = Field(0, description="Bytes of a whole (not streamed) answer; 0 is 64 MiB.")
    allowed_http_methods: Listed = Field((), description="Methods let through, comma-separated. Empty: all known.")
    apply_guardrails_to_sse: bool = Field(True, description="Whether event streams are guarded too.")
    guardrail_endpoints: Listed = Field((), description="METHOD:PATH list to guard. Empty: every route.")
    skip_threat: bool = Field(False, description="Do not report guardrail events to Akto's threat backend.")

    ingest_form: Literal["akto", "collector"] = Field("akto", description="What AKTO_API_BASE_URL is.")
    threat_url: str = Field("", description="Akto's threat backend for guardrail events. Empty: none are sent.")
    otlp_endpoint: str = Field("", description="OpenTelemetry collector (OTLP/HTTP) for spans and metrics.")
    otlp_headers: SecretStr = Field(SecretStr(""), description="`name=value,...` sent to it with each request.")
    otlp_timeout: Seconds = Field(10.0, description="Seconds it has to answer one request.")
    otlp_metrics_interval: Annotated[float, Field(ge=0, le=86_400)] = Field(
        60.0, description="Seconds between two pushes of metrics to it. 0: none."
    )
    otlp_content: bool = Field(
        False, description="Whether spans carry texts as they are kept: masked; sealed ones never."
    )
    connect_to: str = Field("", description="host[:port] to dial instead of APP_URL's (PrivateLink); names unchanged.")
    ca_file: str = Field("", description="PEM file of the authorities that may sign upstream. Empty: the system's.")
    tls_cert: str = Field("", description="PEM certificate chain to serve TLS with. Empty: plain HTTP.")
    tls_key: str = Field("", description="PEM key of TLS_CERT.")
    connect_timeout: Seconds = Field(10.0, description="Seconds to connect to upstream.")
    total_timeout: Seconds = Field(3600.0, description="Seconds one exchange may last.")
    header_timeout: Seconds = Field(15.0, description="Seconds a client has to send its request head.")
    body_timeout: Seconds = Field(60.0, description="Seconds a client may pause while it sends a body.")
    keepalive_timeout: Seconds = Field(75.0, description="Seconds an idle client connection is kept.")
    pool_idle: Annotated[float, Field(gt=0, lt=300)] = Field(
        240.0, description="Seconds an idle upstream connection is kept (an AWS load balancer drops at 350)."
    )
    max_connections: Annotated[int, Field(ge=1, le=1_000_000)] = Field(10_000, description="Clients per worker.")
    drain_timeout: Seconds = Field(30.0, description="Seconds given to running exchanges on SIGTERM.")
    workers: Annotated[int, Field(ge=0, le=256)] = Field(0, description="Worker processes; 0 is one a core, 4 at most.")
    trusted_proxies: Listed = Field((), description="Networks whose X-Forwarded-For is believed.")
    extra_routes: Listed = Field((), description="METHOD:/path globs let through beside the known routes.")

    policy_file: str = Field("", description="YAML policy file. Empty: the default policy.")
    policy_source: Literal["auto", "file", "collector", "akto"] = Field(
        "auto", description="`auto`: POLICY_FILE if set, else what the collector has (docs/policies.md)."
    )
    policy_interval: Annotated[float, Field(ge=0.1, le=3600)] = Field(
        5.0, description="Seconds between two looks for a new policy at the collector or at Akto."
    )
    akto_policy_url: str = Field("", description="Akto's database abstractor, for POLICY_SOURCE=akto.")
    packs: Listed = Field((), description="Policy packs switched on beside the policy file.")
    allow_examples: bool = Field(False, description="Let published example values (guard/rules/allow.txt) pass.")
    sensitivity: Literal["public", "internal", "confidential", "restricted"] = Field(
        "internal", description="Sensitivity of the endpoint where no label says else."
    )
    endpoints: tuple[EndpointLabel, ...] = Field((), description="Parts of the upstream with their own label (file).")
    limits: tuple[dict[str, Any], ...] = Field((), description="Rate, token and stream limits (file; docs/limits.md).")
    limits_url: str = Field("", description="redis:// URL to share limits between machines. Empty: this machine.")
    learn_days: Annotated[float, Field(ge=1, le=365)] = Field(7.0, description="Days that limits are learned from.")
    learn_least_days: Annotated[int, Field(ge=1, le=365)] = Field(
        3, description="Different days with calls that a learned limit needs."
    )
    learn_percentile: Annotated[float, Field(ge=50, le=100)] = Field(
        99.0, description="Percent of what was usual that a learned limit allows, before headroom."
    )
    learn_headroom: Annotated[float, Field(ge=0, le=100)] = Field(0.5, description="Share added to that percentile.")
    alerts: dict[str, Any] = Field({}, description="Alert rules, quiet hours, escalation (file; docs/watch.md).")
    notify: tuple[dict[str, Any], ...] = Field((), description="Where alerts go (file; docs/watch.md).")

    data_dir: str = Field("", description="Where spool, store and keys live. Empty: the user's state folder.")
    deployment_key: SecretStr = Field(
        SecretStr(""),
        description="32 bytes or more, base64: one for all machines of a deployment. Empty: drawn, in DATA_DIR.",
    )
    audit: Literal["default", "strict"] = Field(
        "default", description="`strict`: trace kept before the last byte, or no answer."
    )
    capture: Literal["masked", "metadata", "full"] = Field("masked", description="What a trace keeps of texts.")
    capture_key: SecretStr = Field(SecretStr(""), description="32 bytes, base64: encrypts texts under CAPTURE=full.")
    max_capture_size: Size = Field(262_144, description="Characters of a body a trace keeps.")
    spool_full: Literal["block", "drop_oldest"] = Field(
        "drop_oldest", description="What happens when the spool is full."
    )
    spool_max_size: Size = Field(1 << 30, description="Bytes the spool may take.")
    spool_max_age: Annotated[float, Field(gt=0)] = Field(7 * 86_400.0, description="Seconds a spooled trace is kept.")
    spool_fsync: Literal["off", "interval", "each"] = Field("interval", description="When the disk is told to sync.")
    store_url: str = Field("", description="sqlite:///path or clickhouse://... Empty: SQLite in DATA_DIR.")
    control_url: str = Field("", description="SQLAlchemy URL of users, tokens, policies. Empty: SQLite in DATA_DIR.")
    retention_days: Annotated[float, Field(gt=0)] = Field(30.0, description="Days a trace stays in the store.")
    retention_by_sensitivity: Listed = Field((), description="SENSITIVITY=DAYS list, such as restricted=7,public=90.")
    retention_max_size: Annotated[int, Field(ge=0)] = Field(
        0, description="Bytes the store may take; the oldest traces go first. 0: no bound."
    )
    token_records: Annotated[int, Field(ge=0)] = Field(0, description="Records a second an API token may send; 0: any.")
    token_bytes: Annotated[int, Field(ge=0)] = Field(0, description="Bytes a second an API token may send; 0: any.")
    server_host: str = Field("127.0.0.1", description="Address of the collector and the dashboard.")
    server_port: Port = Field(8090, description="Port of the collector and the dashboard.")
    dashboard_url: str = Field("", description="Where people open the pages: https://guard.example. Empty: as served.")
    two_people: bool = Field(False, description="Whether a change that weakens a policy needs a second person's yes.")
    oidc_issuer: str = Field("", description="OpenID Connect issuer for single sign-on. Empty: local accounts only.")
    oidc_client_id: str = Field("", description="Client id that the issuer gave to DASHBOARD_URL/oidc/callback.")
    oidc_client_secret: SecretStr = Field(SecretStr(""), description="Client secret that the issuer gave.")
    oidc_name: str = Field("single sign-on", description="What the sign-in page calls the issuer.")
    oidc_name_claim: str = Field("email", description="Claim that names a person.")
    oidc_role_claim: str = Field("groups", description="Claim that OIDC_ROLES looks at.")
    oidc_roles: Listed = Field((), description="value=role list: security=editor,staff=viewer. The highest counts.")
    oidc_default_role: Literal["viewer", "analyst", "editor", "admin"] = Field(
        "viewer", description="Role of a person for whom no entry of OIDC_ROLES holds."
    )
    admin_host: str = Field("127.0.0.1", description="Address of /metrics and the admin routes.")
    admin_port: Port = Field(9090, description="Port of /metrics; 0 switches it off.")
    profiling: bool = Field(False, description="Serve /debug/profile on the admin port (docs/guides/operations.md).")
    tour: bool = Field(True, description="`up` without APP_URL sends the three calls of the tour.")

    @field_validator(
        "allowed_http_methods",
        "guardrail_endpoints",
        "trusted_proxies",
        "extra_routes",
        "packs",
        "retention_by_sensitivity",
        "oidc_roles",
        mode="before",
    )
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("log_level", mode="before")
    @classmethod
    def _level(cls, value: object) -> object:
        level = value.strip().upper() if isinstance(value, str) else value
        return {"WARN": "WARNING", "TRACE": "DEBUG", "CRITICAL": "ERROR"}.get(cast("str", level), level)

    @field_validator("app_url", "akto_api_base_url", "akto_policy_url", "otlp_endpoint", "dashboard_url", "oidc_issuer")
    @classmethod
    def _url(cls, value: str) -> str:
        if not value:
            return value
        parts = urlsplit(value.strip())
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("expected a URL such as https://abc.us-east-1.aws.endpoints.huggingface.cloud")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("a URL without user name, password, query or fragment is expected")
        return value.strip().rstrip("/")

    @field_validator("allowed_http_methods")
    @classmethod
    def _methods(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(method.upper() for method in value)

    @field_validator("guardrail_endpoints", "extra_routes")
    @classmethod
    def _method_path(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for entry in value:
            method, colon, path = entry.partition(":")
            if not colon or not method.isalpha() or not path.startswith("/"):
                raise ValueError("each entry is METHOD:/path, for example POST:/v1/chat/completions")
        return value

    @field_validator("retention_by_sensitivity")
    @classmethod
    def _days(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        known = ("public", "internal", "confidential", "restricted")
        for entry in value:
            name, _, days = entry.partition("=")
            if name not in known or not days.replace(".", "", 1).isdigit():
                raise ValueError(f"each entry is SENSITIVITY=DAYS with one of {', '.join(known)}; 0 days is for ever")
        return value

    @field_validator("oidc_roles")
    @classmethod
    def _roles(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for entry in value:
            claim, _, role = entry.rpartition("=")
            if not claim or role not in ("viewer", "analyst", "editor", "admin"):
                raise ValueError("each entry is value=role with the role viewer, analyst, editor or admin")
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for entry in value:
            ip_network(entry, strict=False)
        return value

    @field_validator("upstream_token", "akto_api_token")
    @classmethod
    def _header(cls, value: SecretStr) -> SecretStr:
        text = value.get_secret_value().strip()
        if not (text.isascii() and text.isprintable()) or " " in text:
            raise ValueError("a token is one word of printable ASCII; look for quotes or a line break in the middle")
        return SecretStr(text)

    @field_validator("deployment_key")
    @classmethod
    def _key(cls, value: SecretStr) -> SecretStr:
        try:
            size = len(base64.b64decode(value.get_secret_value(), validate=True))
        except ValueError:
            size = 1
        if 0 < size < 32:
            raise ValueError("expected 32 bytes or more in base64; make them with `openssl rand -base64 32`")
        return value

    @model_validator(mode="after")
    def _pairs(self) -> Settings:
        if bool(self.tls_cert) != bool(self.tls_key):
            raise ValueError("tls_cert and tls_key: set both or none")
        if self.upstream_token.get_secret_value() and self.auth == "pass":
            raise ValueError("upstream_token: it is used with AUTH=managed only; set that too, or remove the token")
        if self.policy_source == "akto" and not (self.akto_policy_url and self.akto_api_token.get_secret_value()):
            raise ValueError("policy_source: `akto` needs AKTO_POLICY_URL and AKTO_API_TOKEN; set both")
        if self.capture == "full" and not self.capture_key.get_secret_value():
            raise ValueError("capture_key: CAPTURE=full needs a key; make one with `openssl rand -base64 32`")
        if self.oidc_issuer and not (self.oidc_client_id and self.oidc_client_secret.get_secret_value()):
            raise ValueError("oidc_issuer: set oidc_client_id and oidc_client_secret too")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what `load` hands over counts, so that a test or a tool can never pick up a stray variable."""
        return (init_settings,)

    # What follows is derived, so that no other room repeats a rule about defaults.

    @property
    def demo(self) -> bool:
        """Whether the built-in demonstration endpoint stands in for APP_URL."""
        return not self.app_url

    @property
    def listen_host(self) -> str:
        """The address the proxy binds."""
        return self.akto_proxy_host or ("127.0.0.1" if self.demo else "0.0.0.0")  # noqa: S104 - a gateway serves others

    @property
    def endpoint_name(self) -> str:
        """The endpoint's name in traces and policies."""
        return self.app_server_name or urlsplit(self.app_url).hostname or "demo"

    @property
    def request_limit(self) -> int:
        """Request body bytes at most."""
        return self.max_request_size or 32 << 20

    @property
    def response_limit(self) -> int:
        """Bytes of a whole answer at most."""
        return self.max_response_size or 64 << 20

    @property
    def data_path(self) -> Path:
        """The folder of spool, store and keys (not created here)."""
        return Path(self.data_dir).expanduser() if self.data_dir else Path("~/.local/state/akto-proxy").expanduser()

    @property
    def master_key(self) -> bytes:
        """The bytes of DEPLOYMENT_KEY; empty where it is not set."""
        return base64.b64decode(self.deployment_key.get_secret_value())

    @property
    def worker_count(self) -> int:
        """Worker processes of the data plane."""
        return self.workers or min(os.cpu_count() or 1, 4)


class _Given(EnvSettingsSource):
    """Environment variables from a mapping that is passed in."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        super().__init__(Settings)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return {name.lower(): value for name, value in self._environ.items() if value != ""}


def load(environ: Mapping[str, str], path: str | None = None, overrides: Mapping[str, Any] | None = None) -> Settings:
    """Read the settings: `overrides` (command-line options) over `environ` over the YAML file over defaults.

    Args:
        environ: environment variables; unknown ones are ignored, empty ones count as not set.
        path: YAML file; when None, the file that `AKTO_PROXY_CONFIG` names, if any.
        overrides: values by setting name.

    Raises:
        ConfigError: one sentence a mistake, each with its source, its key, the expected type and the fix. Values of
            settings are never repeated, so no secret can be printed.
    """
    path = path or environ.get(CONFIG_VARIABLE)
    from_file = _read_file(path) if path else {}
    from_environ = _Given(environ)()
    given = {**from_file, **from_environ, **(overrides or {})}
    try:
        return Settings(**given)
    except ValidationError as error:
        lines = [_sentence(problem, path or "", from_environ) for problem in error.errors()]
        raise ConfigError("\n".join(lines)) from None


def _read_file(path: str) -> dict[str, Any]:
    try:
        data = yaml.safe_load(Path(path).read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); check {CONFIG_VARIABLE} or --config") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise ConfigError(f"{path}{where}: not valid YAML; check indentation and quotes") from None
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: expected `name: value` lines at the top, found a {type(data).__name__}")
    return {str(key).lower(): value for key, value in data.items()}


def _sentence(problem: Any, path: str, from_environ: Mapping[str, Any]) -> str:
    key = ".".join(str(part) for part in problem["loc"])
    name = str(problem["loc"][0]) if problem["loc"] else ""
    if problem["type"] == "extra_forbidden":
        near = difflib.get_close_matches(name, Settings.model_fields, n=1)
        hint = f"did you mean `{near[0]}`?" if near else "docs/settings.md lists all of them"
        return f"{path or 'settings'}: {key}: no such setting; {hint}"
    message = expected(problem)
    if not key:
        return f"{path or 'settings'}: {message}"
    see = f"see docs/settings.md#{name}"
    if name in from_environ:  # all of them are texts, so their type says nothing
        return f"environment variable {name.upper()}: {message}; {see}"
    got = _KINDS.get(type(problem["input"]), "another kind of value")
    return f"{path or 'settings'}: {key}: {message}, found {got}; {see}"


_KINDS = {
    str: "a text", int: "a number", float: "a number", bool: "true or false", list: "a list", dict: "a mapping",
    type(None): "nothing",
}  # fmt: skip
"""Values of a YAML file in the words of people who write it."""


def misspelt(environ: Mapping[str, str]) -> list[tuple[str, str]]:
    """Environment variables that are no setting but look like one, each with the setting it may have been meant for.

    A setting that is not read keeps its default in silence, so a doctor asks for these. Only names that differ in a
    letter or two are given: an environment holds much that is not for us.
    """
    known = [name.upper() for name in Settings.model_fields]
    found = []
    for name in environ:
        if name in known or len(name) < _SHORTEST or not name.isupper():
            continue
        near = difflib.get_close_matches(name, known, n=1, cutoff=_ALIKE)
        if near:
            found.append((name, near[0]))
    return found


_SHORTEST, _ALIKE = 7, 0.87
"""Characters a name must have, and how like a setting's it must be (1 is the same), to be taken for a slip."""
