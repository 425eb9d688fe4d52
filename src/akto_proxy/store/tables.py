"""The tables of the control store, as SQLAlchemy sees them. The migrations make them; a test holds the two together."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, LargeBinary, MetaData, String, Table, Text

metadata = MetaData()

person = Table(
    "person",
    metadata,
    Column("name", String(320), primary_key=True),
    Column("role", String(40), nullable=False),
    Column("password", Text, nullable=False),
    Column("source", String(20), nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("created", Float, nullable=False),
    Column("seen", Float, nullable=False),
)

audit_note = Table(
    "audit_note",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("at", Float, nullable=False),
    Column("actor", String(320), nullable=False, index=True),
    Column("action", String(80), nullable=False),
    Column("subject", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("ip", String(64), nullable=False),
)

token = Table(
    "token",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("name", Text, nullable=False),
    Column("scope", String(40), nullable=False),
    Column("hash", String(64), nullable=False, unique=True),
    Column("created", Float, nullable=False),
    Column("by", String(320), nullable=False),
    Column("seen", Float, nullable=False),
    Column("expires", Float, nullable=False),
    Column("revoked", Boolean, nullable=False),
)

policy_version = Table(
    "policy_version",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("text", Text, nullable=False),
    Column("author", String(320), nullable=False),
    Column("at", Float, nullable=False),
    Column("comment", Text, nullable=False),
    Column("state", String(20), nullable=False),
)

mark = Table(
    "mark",
    metadata,
    Column("event", String(80), primary_key=True),
    Column("state", String(20), nullable=False),
    Column("by", String(320), nullable=False),
    Column("at", Float, nullable=False),
    Index("mark_state", "state", "at"),
)

view = Table(
    "view",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("owner", String(320), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("query", Text, nullable=False),
    Column("shared", Boolean, nullable=False),
)

incident = Table(
    "incident",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("fingerprint", String(200), nullable=False, index=True),
    Column("state", String(20), nullable=False),
    Column("updated", Float, nullable=False, index=True),
    Column("data", Text, nullable=False),
)

alert = Table(
    "alert",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("incident", String(64), nullable=False),
    Column("at", Float, nullable=False),
    Column("data", Text, nullable=False),
    Index("alert_incident", "incident", "at"),
)

step = Table(
    "step",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("incident", String(64), nullable=False, index=True),
    Column("at", Float, nullable=False),
    Column("by", String(320), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("text", Text, nullable=False),
)

delivery = Table(
    "delivery",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("at", Float, nullable=False),
    Column("channel", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("outcome", String(20), nullable=False),
    Column("detail", Text, nullable=False),
)

block = Table(
    "block",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("field", String(20), nullable=False),
    Column("value", Text, nullable=False),
    Column("until", Float, nullable=False),
    Column("reason", Text, nullable=False),
    Column("by", String(320), nullable=False),
    Column("at", Float, nullable=False),
)

proposal = Table(
    "proposal",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(64), nullable=False),
    Column("state", String(20), nullable=False, index=True),
    Column("made", Float, nullable=False),
    Column("endpoint", Text, nullable=False),
    Column("kind", String(20), nullable=False),
    Column("count", String(20), nullable=False),
    Column("entry", Text, nullable=False),
    Column("since", Float, nullable=False),
    Column("until", Float, nullable=False),
    Column("days", Integer, nullable=False),
    Column("samples", BigInteger, nullable=False),
    Column("callers", Integer, nullable=False),
    Column("calls", BigInteger, nullable=False),
    Column("percentile", Float, nullable=False),
    Column("headroom", Float, nullable=False),
    Column("usual", Float, nullable=False),
    Column("peak", Float, nullable=False),
    Column("refused", BigInteger, nullable=False),
    Column("refused_callers", Integer, nullable=False),
    Column("by", String(320), nullable=False),
    Column("decided", Float, nullable=False),
    Column("slot", Integer, nullable=False),
)

setting = Table(
    "setting",
    metadata,
    Column("name", String(200), primary_key=True),
    Column("value", Text, nullable=False),
)

state = Table(
    "state",
    metadata,
    Column("name", String(200), primary_key=True),
    Column("data", LargeBinary, nullable=False),
)

health = Table(
    "health",
    metadata,
    Column("name", String(320), primary_key=True),
    Column("seen", Float, nullable=False),
    Column("version", Text, nullable=False),
    Column("policy_version", Text, nullable=False),
    Column("lag", Integer, nullable=False),
    Column("lag_seconds", Float, nullable=False),
    Column("dropped", Integer, nullable=False),
    Column("policy_problem", Text, nullable=False, server_default=""),
)
