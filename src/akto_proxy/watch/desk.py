"""Facts to alerts, alerts to incidents: what is told once, what is only counted, what waits, what ends by itself.

An incident is all alerts with one fingerprint (a rule and the values it groups by). The desk decides; a ControlStore
keeps; what it returns is to be told by somebody else, so a slow channel never delays the next alert.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from hashlib import sha256

from akto_proxy.model import Alert, Incident, IncidentState, Severity
from akto_proxy.store.control import ControlStore, Step
from akto_proxy.watch.facts import Fact
from akto_proxy.watch.schema import AlertConfig, Response, Rule

MAX_CAUSES = 10_000
MAX_WAITING = 200
MAX_KEPT_IDS = 50
BY = "watch"


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to tell. `event` is `opened`, `again`, `worse`, `escalated` or `resolved`.

    It goes to `channels` (to each that takes its severity where none is named), and to those in `also`.
    """

    event: str
    incident: Incident
    alert: Alert | None = None
    channels: tuple[str, ...] = ()
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Measure:
    """Something to do about an alert."""

    response: Response
    fact: Fact
    incident: Incident
    rule: str


@dataclass(slots=True)
class Output:
    """What came of facts: to tell, and to do."""

    notices: list[Notice] = field(default_factory=list)
    measures: list[Measure] = field(default_factory=list)


@dataclass(slots=True)
class DeskCounters:
    """What the desk did, for metrics."""

    facts: int = 0
    alerts: int = 0
    repeated: int = 0
    in_maintenance: int = 0
    dropped: int = 0


@dataclass(slots=True)
class _Cause:
    """What is remembered of a fingerprint."""

    told: float = -1e18
    more: int = 0
    times: deque[float] = field(default_factory=lambda: deque(maxlen=1000))
    ids: tuple[str, ...] = ()
    last: float = 0.0
    severity: int = 0
    trace: str = ""


class Desk:
    """Makes alerts and incidents.

    Args:
        config: the operator's rules.
        control: where alerts and incidents are kept.
        new_id: 32 hex digits, different each time.
    """

    def __init__(self, config: AlertConfig, control: ControlStore, new_id: Callable[[], str]) -> None:
        self._config = config
        self._control = control
        self._new_id = new_id
        self._rules = config.all_rules()
        self._causes: OrderedDict[str, _Cause] = OrderedDict()
        self._waiting: deque[Notice] = deque(maxlen=MAX_WAITING)
        self._escalated: set[tuple[str, int]] = set()
        self.counters = DeskCounters()

    def take(self, facts: Iterable[Fact], now: float) -> Output:
        """Facts that were just learned. Each makes one alert at most: the first rule that fits is its own."""
        output = Output()
        for fact in facts:
            self.counters.facts += 1
            rule = next((rule for rule in self._rules if rule.fits(fact.values)), None)
            if rule is None:
                continue
            if self._maintained(fact):
                self.counters.in_maintenance += 1
                continue
            self._fire(rule, fact, now, output)
        return output

    def _maintained(self, fact: Fact) -> bool:
        endpoint = str(fact.values.get("endpoint", ""))
        return any(item.holds(fact.at) and fnmatchcase(endpoint, item.endpoint) for item in self._config.maintenance)

    def _fire(self, rule: Rule, fact: Fact, now: float, output: Output) -> None:
        mark = fingerprint(rule, fact)
        cause = self._cause(mark)
        cause.last = now
        if rule.count > 1:
            cause.times.append(fact.at)
            while cause.times and fact.at - cause.times[0] > rule.per:
                cause.times.popleft()
            if len(cause.times) < rule.count:
                return
        severity = rule.severity or fact.severity
        trace = fact.trace_ids[-1] if fact.trace_ids else ""
        if trace and trace == cause.trace and severity <= cause.severity:
            return  # several rules about one call are one thing that happened
        cause.trace = trace
        if now - cause.told < rule.cooldown and severity <= cause.severity:
            cause.more += 1
            cause.ids = (*cause.ids, *fact.trace_ids)[-MAX_KEPT_IDS:]
            self.counters.repeated += 1
            return
        self._alert(rule, fact, severity, mark, cause, now, output)

    def _alert(
        self, rule: Rule, fact: Fact, severity: Severity, mark: str, cause: _Cause, now: float, output: Output
    ) -> None:
        alert = Alert(
            self._new_id(), fact.at, str(fact.values.get("kind", fact.source)), severity, fact.title, mark,
            fact.subject, fact.expected, fact.seen, fact.since or fact.at, fact.score,
            (*cause.ids, *fact.trace_ids)[-MAX_KEPT_IDS:],
            (("rule", rule.name), ("source", fact.source), ("endpoint", str(fact.values.get("endpoint", "")))),
        )  # fmt: skip
        event, incident = self._incident(alert, 1 + cause.more, now)
        cause.told, cause.more, cause.ids, cause.severity = now, 0, (), severity
        self.counters.alerts += 1
        output.notices += self._when_awake(Notice(event, incident, alert, rule.channels), now)
        if rule.respond is not None:
            output.measures.append(Measure(rule.respond, fact, incident, rule.name))

    def _incident(self, alert: Alert, count: int, now: float) -> tuple[str, Incident]:
        found = self._control.open_incident(alert.fingerprint)
        if found is None:
            event = "opened"
            incident = Incident(
                self._new_id(), alert.fingerprint, alert.title, alert.severity, IncidentState.OPEN, alert.since or now,
                now, count, alert.subject, "", (alert.id,), alert.trace_ids,
            )  # fmt: skip
        else:
            event = "worse" if alert.severity > found.severity else "again"
            incident = replace(
                found,
                severity=max(found.severity, alert.severity),
                updated=now,
                count=found.count + count,
                alert_ids=(*found.alert_ids, alert.id)[-MAX_KEPT_IDS:],
                trace_ids=tuple(dict.fromkeys((*found.trace_ids, *alert.trace_ids)))[-MAX_KEPT_IDS:],
            )
        self._control.keep_incident(incident)
        self._control.add_alert(alert, incident.id)
        text = f"{alert.title}: {alert.seen}" if alert.seen else alert.title
        self._control.move_incident(incident.id, Step(now, BY, event, text[:300]))
        return event, incident

    def _when_awake(self, notice: Notice, now: float) -> list[Notice]:
        if any(quiet.holds(now) and notice.incident.severity < quiet.unless for quiet in self._config.quiet):
            self.counters.dropped += len(self._waiting) == MAX_WAITING
            self._waiting.append(notice)
            return []
        return [notice]

    def tick(self, now: float) -> Output:
        """Time passes: what waited for the morning, what nobody took, what is over. To be called every few seconds."""
        output = Output()
        for _ in range(len(self._waiting)):
            output.notices += self._when_awake(self._waiting.popleft(), now)
        self._flush(now)
        for incident in self._control.incidents((IncidentState.OPEN, IncidentState.ACKNOWLEDGED)):
            if now - incident.updated >= self._config.resolve_after:
                output.notices += self._when_awake(self._resolve(incident, now), now)
            elif incident.state is IncidentState.OPEN:
                for notice in self._escalate(incident, now):
                    output.notices += self._when_awake(notice, now)
        return output

    def _flush(self, now: float) -> None:
        """Write down what was only counted, so that an incident that goes on does not look over."""
        for mark, cause in self._causes.items():
            if not cause.more or now - cause.last > 60:
                continue
            found = self._control.open_incident(mark)
            if found is not None:
                merged = tuple(dict.fromkeys((*found.trace_ids, *cause.ids)))[-MAX_KEPT_IDS:]
                kept = replace(found, updated=cause.last, count=found.count + cause.more, trace_ids=merged)
                self._control.keep_incident(kept)
                cause.more, cause.ids = 0, ()

    def _resolve(self, incident: Incident, now: float) -> Notice:
        hours = self._config.resolve_after / 3600
        step = Step(now, BY, "resolved", f"nothing more for {hours:g} h")
        self._control.move_incident(incident.id, step, state=IncidentState.RESOLVED)
        self._causes.pop(incident.fingerprint, None)
        paged = [number for name, number in self._escalated if name == incident.id]
        self._escalated = {item for item in self._escalated if item[0] != incident.id}
        also = tuple(name for number in paged for name in self._config.escalate[number].channels)
        over = replace(incident, state=IncidentState.RESOLVED, updated=now)
        return Notice("resolved", over, None, self._told(incident.id), also)

    def _told(self, incident_id: str) -> tuple[str, ...]:
        """The channels that its rule names; none where all are told. An incident's rule is kept with its alerts."""
        made = self._control.alerts(incident_id, limit=1)
        name = dict(made[0].labels).get("rule", "") if made else ""
        return next((rule.channels for rule in self._rules if rule.name == name), ())

    def _escalate(self, incident: Incident, now: float) -> list[Notice]:
        told = []
        for number, item in enumerate(self._config.escalate):
            mark = (incident.id, number)
            late = now - incident.opened >= item.after and incident.severity >= item.severity
            if late and mark not in self._escalated:
                self._escalated.add(mark)
                step = Step(now, BY, "escalated", f"nobody took it within {item.after / 60:g} min")
                self._control.move_incident(incident.id, step)
                told.append(Notice("escalated", incident, None, item.channels))
        return told

    def _cause(self, mark: str) -> _Cause:
        found = self._causes.get(mark)
        if found is None:
            found = self._causes[mark] = _Cause()
            if len(self._causes) > MAX_CAUSES:
                self._causes.popitem(last=False)
        else:
            self._causes.move_to_end(mark)
        return found


def fingerprint(rule: Rule, fact: Fact) -> str:
    """The cause of a fact under a rule."""
    parts = [rule.name, *(f"{name}={fact.values.get(name, '')}" for name in rule.group)]
    return sha256("\x00".join(parts).encode("utf-8", "replace")).hexdigest()[:32]
