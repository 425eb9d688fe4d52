"""The errors this program raises on purpose, few and flat.

An expected outcome (a block, a limit) is a value, not an error. No message here may hold text under protection.
"""


class AktoProxyError(Exception):
    """The root: catch it to catch everything this program raises on purpose."""


class ConfigError(AktoProxyError):
    """What the operator chose cannot work. The message names the file or variable, the key and the fix."""


class PolicyError(ConfigError):
    """A policy or rule file cannot be used. The message names the file, the key and the nearest allowed form."""


class BodyError(AktoProxyError):
    """A body cannot be read as what it says it is.

    `status` is the HTTP status for the caller (400, 413, 415), `reason` a stable word for metrics.
    """

    def __init__(self, message: str, *, reason: str, status: int = 400) -> None:
        super().__init__(message)
        self.reason = reason
        self.status = status


class UpstreamError(AktoProxyError):
    """The model server failed. `retry` is true only when no byte of the request can have been acted on."""

    def __init__(self, message: str, *, reason: str, retry: bool = False) -> None:
        super().__init__(message)
        self.reason = reason
        self.retry = retry


class StorageError(AktoProxyError):
    """The spool or the store cannot keep what it was given. The message names the path and the fix."""
