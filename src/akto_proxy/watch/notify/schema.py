"""What an operator may write in `notify:`, checked and frozen. Secrets may stand in the environment instead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

from akto_proxy.config.mistakes import expected
from akto_proxy.errors import ConfigError
from akto_proxy.model import Severity
from akto_proxy.watch.schema import Level

Kind = Literal["slack", "teams", "pagerduty", "opsgenie", "webhook", "email", "syslog", "apprise"]
_NEEDS: dict[str, tuple[str, ...]] = {
    "slack": ("url",),
    "teams": ("url",),
    "pagerduty": ("secret",),
    "opsgenie": ("secret",),
    "webhook": ("url", "secret"),
    "email": ("host", "sender", "to"),
    "syslog": ("host",),
    "apprise": ("url",),
}
_URLS = {
    "pagerduty": "https://events.pagerduty.com/v2/enqueue",
    "opsgenie": "https://api.opsgenie.com/v2/alerts",
}
_PORTS = {"email": 587, "syslog": 514}


class Channel(BaseModel):
    """One way to tell. `secret` is the routing key, API key, signing key or password of its kind."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
    kind: Kind
    severity: Level = Severity.MEDIUM
    url: SecretStr = SecretStr("")
    secret: SecretStr = SecretStr("")
    url_env: str = ""
    secret_env: str = ""
    host: str = ""
    port: Annotated[int, Field(ge=0, le=65535)] = 0
    transport: Literal["tls", "starttls", "tcp", "udp"] = "tls"
    form: Literal["json", "cef", "ocsf"] = "json"
    user: str = ""
    sender: str = ""
    to: tuple[str, ...] = ()
    allow_private: bool = False
    link: str = ""

    @model_validator(mode="after")
    def _complete(self) -> Channel:
        given = {name for name in ("url", "secret") if getattr(self, name).get_secret_value()}
        given |= {name for name in ("url", "secret") if getattr(self, f"{name}_env")}
        given |= {name for name in ("host", "sender", "to") if getattr(self, name)}
        missing = [name for name in _NEEDS[self.kind] if name not in given]
        if missing:
            raise ValueError(f"a channel of kind {self.kind} needs {' and '.join(missing)}")
        if self.kind != "apprise" and self.address and urlsplit(self.address).scheme not in ("http", "https"):
            raise ValueError("url: http:// or https:// is expected")
        if any("\r" in text or "\n" in text for text in (self.sender, self.user, self.host, *self.to)):
            raise ValueError("a line break is not allowed here")
        return self

    @property
    def address(self) -> str:
        """The URL; the service's own where the kind has one."""
        return self.url.get_secret_value() or _URLS.get(self.kind, "")

    @property
    def key(self) -> str:
        """The secret."""
        return self.secret.get_secret_value()

    @property
    def peer_port(self) -> int:
        """The port, or the usual one."""
        return self.port or (6514 if self.kind == "syslog" and self.transport == "tls" else _PORTS.get(self.kind, 443))


def parse_channels(entries: Sequence[dict[str, Any]], environ: Mapping[str, str]) -> tuple[Channel, ...]:
    """The channels of a settings file, secrets filled in from the environment.

    Raises:
        ConfigError: one sentence a mistake; no value is repeated.
    """
    made: list[Channel] = []
    wrong: list[str] = []
    for number, entry in enumerate(entries, 1):
        name = entry.get("name", number)
        try:
            filled = dict(entry)
            for field in ("url", "secret"):
                variable = entry.get(f"{field}_env")
                if variable and not environ.get(variable):
                    raise ConfigError(f"notify[{name}].{field}_env: the environment has no {variable}")
                if variable:
                    filled[field] = environ[variable]
            made.append(Channel(**filled))
        except ValidationError as error:
            for problem in error.errors():
                key = ".".join(str(part) for part in problem["loc"])
                wrong.append(f"notify[{name}]{f'.{key}' if key else ''}: {expected(problem)}; see docs/watch.md")
        except ConfigError as error:
            wrong.append(str(error))
    names = [channel.name for channel in made]
    wrong += [f"notify[{name}]: this name is used twice" for name in sorted({n for n in names if names.count(n) > 1})]
    if wrong:
        raise ConfigError("\n".join(wrong))
    return tuple(made)
