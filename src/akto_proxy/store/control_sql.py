"""The control store on SQLAlchemy: SQLite by default, PostgreSQL by URL, the same statements on both.

Tokens are long random texts, so their SHA-256 is kept and looked up whole: nothing can be guessed from it, and a slow
hash would only slow every ingest call. Passwords come here already hashed by who knows how (argon2).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, fields, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Connection, Engine, Table, create_engine, delete, event, insert, select, update
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from akto_proxy.errors import ConfigError, StorageError
from akto_proxy.model import Alert, Incident, IncidentState, Severity
from akto_proxy.store import tables
from akto_proxy.store.control import (
    AuditNote,
    Block,
    Delivery,
    Mark,
    Person,
    Proposal,
    ProxyHealth,
    Step,
    Token,
    Version,
    View,
)
from akto_proxy.store.control_migrate import upgrade

TOKEN_PREFIX = "akp_"  # noqa: S105 - how our tokens begin, so that scanners can tell them
_SEEN_STEP = 60.0
"""Seconds between two writes of a token's last use: reading must not mean writing."""


class SqlControlStore:
    """The ControlStore. `random` gives so many unpredictable bytes (for tokens).

    Raises:
        ConfigError: the URL cannot be used.
        StorageError: the database cannot be reached or migrated.
    """

    def __init__(self, url: str, *, random: Callable[[int], bytes], timeout: float = 10.0) -> None:
        self._random = random
        self._engine = _engine(url, timeout)
        self._name = self._engine.url.render_as_string(hide_password=True)
        with self._errors():
            upgrade(self._engine)

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            # The driver's own words only: SQLAlchemy's message would carry the statement's values.
            cause = getattr(error, "orig", None)
            raise StorageError(f"{self._name}: the control store failed: {cause or type(error).__name__}") from None

    @contextlib.contextmanager
    def _begin(self) -> Iterator[Connection]:
        with self._errors(), self._engine.begin() as db:
            yield db

    def _rows(self, query: Any) -> list[dict[str, Any]]:
        with self._begin() as db:
            return [dict(row) for row in db.execute(query).mappings()]

    def _put(self, table: Table, values: Mapping[str, Any]) -> None:
        """Add or replace by primary key."""
        keys = [column.name for column in table.primary_key]
        make = postgres_insert if self._engine.dialect.name == "postgresql" else sqlite_insert
        statement = make(table).values(**values)
        rest = {name: value for name, value in values.items() if name not in keys}
        with self._begin() as db:
            db.execute(statement.on_conflict_do_update(index_elements=keys, set_=rest))

    def people(self) -> Sequence[Person]:
        """Everybody, by name."""
        return [Person(**row) for row in self._rows(select(tables.person).order_by(tables.person.c.name))]

    def person(self, name: str) -> Person | None:
        """One account, by its exact name."""
        rows = self._rows(select(tables.person).where(tables.person.c.name == name))
        return Person(**rows[0]) if rows else None

    def keep_person(self, person: Person) -> None:
        """Add or replace by name."""
        self._put(tables.person, asdict(person))

    def remove_person(self, name: str) -> None:
        """Take an account away."""
        self._delete(tables.person, "name", name)

    def _delete(self, table: Table, column: str, value: str) -> None:
        with self._begin() as db:
            db.execute(delete(table).where(table.c[column] == value))

    def note(self, note: AuditNote) -> None:
        """Append to the audit log."""
        self._append(tables.audit_note, asdict(note))

    def _append(self, table: Table, values: dict[str, Any]) -> None:
        values.pop("number", None)
        with self._begin() as db:
            db.execute(insert(table).values(**values))

    def notes(self, *, before: int = 0, limit: int = 100, actor: str = "", action: str = "") -> Sequence[AuditNote]:
        """The audit log, newest first."""
        columns = tables.audit_note.c
        query = select(tables.audit_note).order_by(columns.number.desc()).limit(limit)
        if before:
            query = query.where(columns.number < before)
        if actor:
            query = query.where(columns.actor == actor)
        if action:
            query = query.where(columns.action.startswith(action, autoescape=True))
        return [AuditNote(**row) for row in self._rows(query)]

    def tokens(self) -> Sequence[Token]:
        """All API tokens, newest first."""
        query = select(tables.token).order_by(tables.token.c.created.desc(), tables.token.c.id)
        return [_token(row) for row in self._rows(query)]

    def add_token(self, name: str, scope: str, *, by: str, at: float, expires: float = 0.0) -> tuple[Token, str]:
        """A new token and its secret, which is never kept."""
        secret = TOKEN_PREFIX + self._random(32).hex()
        token = Token(self._random(8).hex(), name, scope, at, by, 0.0, expires)
        with self._begin() as db:
            db.execute(insert(tables.token).values(**asdict(token), hash=_hash(secret)))
        return token, secret

    def token(self, secret: str, at: float) -> Token | None:
        """The token of a secret, if it is good at this moment."""
        rows = self._rows(select(tables.token).where(tables.token.c.hash == _hash(secret)))
        if not rows:
            return None
        token = _token(rows[0])
        if token.revoked or (token.expires and at >= token.expires):
            return None
        if not token.seen or not 0 <= at - token.seen < _SEEN_STEP:
            with self._begin() as db:
                db.execute(update(tables.token).where(tables.token.c.id == token.id).values(seen=at))
        return token

    def revoke_token(self, token_id: str) -> None:
        """Make a token useless."""
        with self._begin() as db:
            db.execute(update(tables.token).where(tables.token.c.id == token_id).values(revoked=True))

    def versions(self, *, limit: int = 100) -> Sequence[Version]:
        """Policy versions, newest first."""
        query = select(tables.policy_version).order_by(tables.policy_version.c.number.desc()).limit(limit)
        return [Version(**row) for row in self._rows(query)]

    def version(self, number: int) -> Version | None:
        """One version."""
        rows = self._rows(select(tables.policy_version).where(tables.policy_version.c.number == number))
        return Version(**rows[0]) if rows else None

    def active(self) -> Version | None:
        """The version in force."""
        columns = tables.policy_version.c
        query = select(tables.policy_version).where(columns.state == "active").order_by(columns.number.desc()).limit(1)
        rows = self._rows(query)
        return Version(**rows[0]) if rows else None

    def add_version(self, text: str, *, author: str, at: float, comment: str = "", proposed: bool = False) -> Version:
        """A new version; in force at once unless it is only proposed."""
        version = Version(0, text, author, at, comment, "proposed" if proposed else "active")
        values = asdict(version)
        del values["number"]
        with self._begin() as db:
            if not proposed:
                _retire_active(db)
            key = db.execute(insert(tables.policy_version).values(**values)).inserted_primary_key
        return replace(version, number=int(key[0]) if key else 0)

    def approve(self, number: int, *, by: str, at: float) -> Version:
        """Put a proposed version in force."""
        columns = tables.policy_version.c
        with self._begin() as db:
            proposed = (columns.number == number) & (columns.state == "proposed")
            if db.execute(select(columns.number).where(proposed)).first() is None:
                raise ValueError(f"there is no proposed policy version {number}")
            _retire_active(db)
            db.execute(update(tables.policy_version).where(columns.number == number).values(state="active"))
            note = AuditNote(at, by, "policy.approve", str(number))
            values = asdict(note)
            del values["number"]
            db.execute(insert(tables.audit_note).values(**values))
        found = self.version(number)
        assert found is not None
        return found

    def marks(self, events: Sequence[str]) -> Mapping[str, Mark]:
        """The marks of these decisions."""
        rows = self._rows(select(tables.mark).where(tables.mark.c.event.in_(events)))
        return {row["event"]: Mark(**row) for row in rows}

    def marked(self, state: str, *, limit: int = 200) -> Sequence[Mark]:
        """Decisions in a state, last marked first."""
        columns = tables.mark.c
        query = select(tables.mark).where(columns.state == state).order_by(columns.at.desc(), columns.event)
        return [Mark(**row) for row in self._rows(query.limit(limit))]

    def mark(self, events: Sequence[str], state: str, *, by: str, at: float) -> None:
        """Move decisions to a state; `active` takes the mark away."""
        with self._begin() as db:
            db.execute(delete(tables.mark).where(tables.mark.c.event.in_(events)))
            if state != "active" and events:
                rows = [asdict(Mark(name, state, by, at)) for name in dict.fromkeys(events)]
                db.execute(insert(tables.mark), rows)

    def views(self, owner: str) -> Sequence[View]:
        """A person's own saved views and the shared ones."""
        columns = tables.view.c
        query = select(tables.view).where((columns.owner == owner) | columns.shared).order_by(columns.name, columns.id)
        return [View(**row) for row in self._rows(query)]

    def keep_view(self, view: View) -> None:
        """Add or replace."""
        self._put(tables.view, asdict(view))

    def remove_view(self, view_id: str, owner: str) -> None:
        """Take a person's own view away."""
        columns = tables.view.c
        with self._begin() as db:
            db.execute(delete(tables.view).where((columns.id == view_id) & (columns.owner == owner)))

    def incidents(self, states: Sequence[IncidentState] = (), *, limit: int = 200) -> Sequence[Incident]:
        """Incidents, last updated first."""
        columns = tables.incident.c
        query = select(columns.data).order_by(columns.updated.desc(), columns.id).limit(limit)
        if states:
            query = query.where(columns.state.in_([state.value for state in states]))
        return [_incident(row["data"]) for row in self._rows(query)]

    def incident(self, incident_id: str) -> Incident | None:
        """One incident."""
        rows = self._rows(select(tables.incident.c.data).where(tables.incident.c.id == incident_id))
        return _incident(rows[0]["data"]) if rows else None

    def keep_incident(self, incident: Incident) -> None:
        """Add or replace by id."""
        self._put(tables.incident, _incident_row(incident))

    def open_incident(self, fingerprint: str) -> Incident | None:
        """The incident of this cause that is not resolved yet."""
        columns = tables.incident.c
        query = select(columns.data).where(columns.fingerprint == fingerprint, columns.state != "resolved")
        rows = self._rows(query.order_by(columns.updated.desc()).limit(1))
        return _incident(rows[0]["data"]) if rows else None

    def add_alert(self, alert: Alert, incident_id: str) -> None:
        """Keep an alert with its incident."""
        data = orjson.dumps(alert).decode()
        self._put(tables.alert, {"id": alert.id, "incident": incident_id, "at": alert.at, "data": data})

    def alerts(self, incident_id: str, *, limit: int = 200) -> Sequence[Alert]:
        """The alerts of an incident, newest first."""
        columns = tables.alert.c
        query = select(columns.data).where(columns.incident == incident_id).order_by(columns.at.desc(), columns.id)
        return [_alert(row["data"]) for row in self._rows(query.limit(limit))]

    def steps(self, incident_id: str) -> Sequence[Step]:
        """Its timeline, oldest first."""
        columns = tables.step.c
        query = select(columns.at, columns.by, columns.kind, columns.text).where(columns.incident == incident_id)
        return [Step(**row) for row in self._rows(query.order_by(columns.number))]

    def move_incident(
        self,
        incident_id: str,
        step: Step,
        *,
        state: IncidentState | None = None,
        assignee: str | None = None,
    ) -> None:
        """Add to the timeline, and change state or owner with it."""
        columns = tables.incident.c
        with self._begin() as db:
            row = db.execute(select(columns.data).where(columns.id == incident_id).with_for_update()).first()
            if row is None:
                raise ValueError("there is no such incident")
            found = _incident(row[0])
            changed = replace(
                found,
                state=found.state if state is None else state,
                assignee=found.assignee if assignee is None else assignee,
                updated=max(found.updated, step.at),
            )
            db.execute(update(tables.incident).where(columns.id == incident_id).values(**_incident_row(changed)))
            db.execute(insert(tables.step).values(incident=incident_id, **asdict(step)))

    def add_delivery(self, delivery: Delivery) -> None:
        """Append to the history of notifications."""
        self._append(tables.delivery, asdict(delivery))

    def deliveries(self, *, limit: int = 100) -> Sequence[Delivery]:
        """The history of notifications, newest first."""
        query = select(tables.delivery).order_by(tables.delivery.c.number.desc()).limit(limit)
        return [Delivery(**row) for row in self._rows(query)]

    def blocks(self) -> Sequence[Block]:
        """Callers that are refused, also those whose time is over."""
        return [Block(**row) for row in self._rows(select(tables.block).order_by(tables.block.c.at.desc()))]

    def block(self, block: Block) -> None:
        """Refuse a caller until the block's end."""
        self._put(tables.block, asdict(block))

    def unblock(self, block_id: str) -> None:
        """Let a caller in again."""
        self._delete(tables.block, "id", block_id)

    def proposals(self, states: Sequence[str] = ()) -> Sequence[Proposal]:
        """Learned limits in these states (none: in any), last made first."""
        columns = tables.proposal.c
        query = select(tables.proposal).order_by(columns.made.desc(), columns.name, columns.id)
        return [Proposal(**row) for row in self._rows(query.where(columns.state.in_(states)) if states else query)]

    def proposal(self, proposal_id: str) -> Proposal | None:
        """One learned limit."""
        rows = self._rows(select(tables.proposal).where(tables.proposal.c.id == proposal_id))
        return Proposal(**rows[0]) if rows else None

    def keep_proposal(self, proposal: Proposal) -> None:
        """Add one."""
        self._put(tables.proposal, asdict(proposal))

    def move_proposal(self, proposal: Proposal, states: Sequence[str]) -> bool:
        """Replace it, if it is still in one of these states."""
        columns = tables.proposal.c
        here = (columns.id == proposal.id) & columns.state.in_(states)
        with self._begin() as db:
            return db.execute(update(tables.proposal).where(here).values(**asdict(proposal))).rowcount > 0

    def setting(self, name: str) -> str:
        """A value set on a page, empty where none."""
        rows = self._rows(select(tables.setting.c.value).where(tables.setting.c.name == name))
        return str(rows[0]["value"]) if rows else ""

    def set_setting(self, name: str, value: str) -> None:
        """Set a value."""
        self._put(tables.setting, {"name": name, "value": value})

    def state(self, name: str) -> bytes:
        """What a part of the program kept, empty where none."""
        rows = self._rows(select(tables.state.c.data).where(tables.state.c.name == name))
        return bytes(rows[0]["data"]) if rows else b""

    def set_state(self, name: str, data: bytes) -> None:
        """Keep it."""
        self._put(tables.state, {"name": name, "data": data})

    def proxies(self) -> Sequence[ProxyHealth]:
        """What proxies last said of themselves, by name."""
        return [ProxyHealth(**row) for row in self._rows(select(tables.health).order_by(tables.health.c.name))]

    def keep_health(self, health: ProxyHealth) -> None:
        """A proxy spoke."""
        self._put(tables.health, asdict(health))

    def close(self) -> None:
        """Give back files and sockets."""
        self._engine.dispose()


def _engine(url: str, timeout: float) -> Engine:
    try:
        parsed = make_url(url if "://" in url else f"sqlite:///{url}")
    except ArgumentError:
        raise ConfigError("the control store's URL: expected sqlite:///path or postgresql://...") from None
    if parsed.get_backend_name() == "postgresql":
        arguments = {"connect_timeout": int(timeout), "options": f"-c statement_timeout={int(timeout * 1000)}"}
        parsed = parsed.set(drivername="postgresql+psycopg")
        return create_engine(parsed, pool_pre_ping=True, pool_timeout=timeout, connect_args=arguments)
    if parsed.get_backend_name() != "sqlite":
        raise ConfigError(f"the control store's URL begins with {parsed.drivername}: expected sqlite or postgresql")
    if parsed.database:
        path = Path(parsed.database)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
    engine = create_engine(parsed, connect_args={"timeout": timeout, "check_same_thread": False})
    event.listen(engine, "connect", _prepare)
    return engine


def _prepare(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")


def _retire_active(db: Connection) -> None:
    columns = tables.policy_version.c
    db.execute(update(tables.policy_version).where(columns.state == "active").values(state="past"))


def _hash(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()


def _token(row: dict[str, Any]) -> Token:
    return Token(**{field.name: row[field.name] for field in fields(Token)})


def _incident_row(incident: Incident) -> dict[str, Any]:
    return {
        "id": incident.id,
        "fingerprint": incident.fingerprint,
        "state": incident.state.value,
        "updated": incident.updated,
        "data": orjson.dumps(incident).decode(),
    }


def _incident(data: str) -> Incident:
    values = orjson.loads(data)
    values.update(
        severity=Severity(values["severity"]),
        state=IncidentState(values["state"]),
        alert_ids=tuple(values["alert_ids"]),
        trace_ids=tuple(values["trace_ids"]),
    )
    return Incident(**values)


def _alert(data: str) -> Alert:
    values = orjson.loads(data)
    values.update(
        severity=Severity(values["severity"]),
        trace_ids=tuple(values["trace_ids"]),
        labels=tuple((str(key), str(value)) for key, value in values["labels"]),
    )
    return Alert(**values)
