"""What the detectors say: one unusual thing, with what was expected, what was seen and since when."""

from __future__ import annotations

from dataclasses import dataclass

from akto_proxy.model import Severity

SEVERITIES: dict[str, Severity] = {
    "volume": Severity.MEDIUM,
    "surge": Severity.MEDIUM,
    "silence": Severity.MEDIUM,
    "tokens": Severity.MEDIUM,
    "latency": Severity.LOW,
    "errors": Severity.HIGH,
    "refusals": Severity.HIGH,
    "redactions": Severity.HIGH,
    "new-model": Severity.LOW,
    "new-tool": Severity.MEDIUM,
    "new-country": Severity.MEDIUM,
    "new-client": Severity.LOW,
    "new-entity": Severity.MEDIUM,
    "probing": Severity.HIGH,
    "guardrail-probing": Severity.HIGH,
    "exfiltration": Severity.CRITICAL,
    "build-up": Severity.HIGH,
    "credential-sharing": Severity.HIGH,
}
"""Every kind of anomaly there is, with its severity."""


@dataclass(frozen=True, slots=True)
class Anomaly:
    """Something unusual. `subject` is `caller key:...`, `endpoint ...`, `agent ...` or `session ...`."""

    kind: str
    subject: str
    at: float
    since: float
    expected: str
    seen: str
    score: float
    endpoint: str = ""
    trace_ids: tuple[str, ...] = ()

    @property
    def severity(self) -> Severity:
        """How bad this kind is."""
        return SEVERITIES[self.kind]
