"""The control store's contract, on SQLite and on a real PostgreSQL started here where one is installed."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import create_engine, inspect

from akto_proxy.errors import ConfigError, StorageError
from akto_proxy.model import Alert, Incident, IncidentState, Severity
from akto_proxy.store import tables
from akto_proxy.store.control import AuditNote, Block, Delivery, Person, ProxyHealth, Step, View
from akto_proxy.store.control_migrate import revisions, upgrade
from akto_proxy.store.control_sql import SqlControlStore

BINARIES = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), None)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL of our own on loopback."""
    if BINARIES is None or not (BINARIES / "initdb").exists():
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    # initdb refuses root: run it as the `postgres` account that the Debian package makes.
    user = "postgres" if os.getuid() == 0 else None
    folder = tmp_path_factory.mktemp("pg")
    if user is not None:
        shutil.chown(folder, user)
        for parent in (folder, *folder.parents):
            if parent == Path("/tmp") or not parent.is_relative_to("/tmp"):
                break
            parent.chmod(0o755)
        folder.chmod(0o700)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data = folder / "data"
    init = [BINARIES / "initdb", "-D", data, "-U", "akto", "--auth=trust", "--no-sync"]
    try:
        subprocess.run(init, check=True, capture_output=True, user=user, timeout=120, cwd=folder)
    except (OSError, subprocess.CalledProcessError, LookupError) as error:
        pytest.skip(f"PostgreSQL cannot be started here: {type(error).__name__}")
    server = [BINARIES / "postgres", "-D", data, "-p", str(port), "-h", "127.0.0.1", "-k", folder, "-F"]
    process = subprocess.Popen(server, user=user, cwd=folder, stderr=subprocess.DEVNULL)
    url = f"postgresql://akto@127.0.0.1:{port}/postgres"
    for _ in range(200):
        ready = [BINARIES / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port), "-U", "akto"]
        if subprocess.run(ready, check=False, timeout=10).returncode == 0:
            break
        time.sleep(0.05)
    yield url
    process.terminate()
    process.wait(20)


@pytest.fixture(params=["sqlite", "postgresql"])
def control(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqlControlStore]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/control.db"
    else:
        url = request.getfixturevalue("postgres")
        engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
        with engine.begin() as db:
            db.exec_driver_sql("DROP SCHEMA public CASCADE")
            db.exec_driver_sql("CREATE SCHEMA public")
        engine.dispose()
    store = SqlControlStore(url, random=os.urandom)
    yield store
    store.close()


def test_accounts(control: SqlControlStore) -> None:
    control.keep_person(Person("ann", "admin", "hash", created=1.0))
    control.keep_person(Person("bob", "viewer", source="oidc"))
    control.keep_person(Person("ann", "analyst", "hash2", disabled=True, seen=5.0))
    assert [person.name for person in control.people()] == ["ann", "bob"]
    assert control.person("ann") == Person("ann", "analyst", "hash2", disabled=True, seen=5.0)
    control.remove_person("ann")
    assert control.person("ann") is None


def test_a_token_is_shown_once_checked_whole_and_revocable(control: SqlControlStore, tmp_path: Path) -> None:
    token, secret = control.add_token("ci", "ingest", by="ann", at=10.0, expires=100.0)
    found = control.token(secret, 50.0)
    assert found is not None
    assert (found.id, found.scope, found.by) == (token.id, "ingest", "ann")
    assert control.tokens()[0].seen == 50.0
    assert secret not in repr(control.tokens())
    for wrong in ("", secret[:-1], secret + "0", secret[:20], token.id, secret.upper()):
        assert control.token(wrong, 50.0) is None
    assert control.token(secret, 100.0) is None, "expired"
    control.revoke_token(token.id)
    assert control.token(secret, 50.0) is None
    database = tmp_path / "control.db"
    if database.exists():
        everything = b"".join(path.read_bytes() for path in tmp_path.glob("control.db*"))
        assert secret.encode() not in everything


def test_policy_versions_and_a_second_persons_approval(control: SqlControlStore) -> None:
    assert control.active() is None
    first = control.add_version("one", author="ann", at=1.0)
    second = control.add_version("two", author="ann", at=2.0, comment="weaker", proposed=True)
    assert control.active() == first
    assert control.approve(second.number, by="bob", at=3.0).state == "active"
    active = control.active()
    assert active is not None
    assert active.text == "two"
    assert [version.state for version in control.versions()] == ["active", "past"]
    with pytest.raises(ValueError):
        control.approve(first.number, by="bob", at=4.0)
    assert control.version(99) is None


def test_marks_of_decisions(control: SqlControlStore) -> None:
    control.mark(["a:0", "b:1", "b:1"], "ignored", by="ann", at=1.0)
    control.mark(["b:1"], "false-positive", by="bob", at=2.0)
    assert {name: mark.state for name, mark in control.marks(["a:0", "b:1", "c:0"]).items()} == {
        "a:0": "ignored",
        "b:1": "false-positive",
    }
    assert [mark.event for mark in control.marked("ignored")] == ["a:0"]
    control.mark(["a:0"], "active", by="ann", at=3.0)
    assert control.marks(["a:0"]) == {}
    control.mark([], "ignored", by="ann", at=3.0)


def test_views_belong_to_their_owner(control: SqlControlStore) -> None:
    control.keep_view(View("1", "ann", "mine", "user=x"))
    control.keep_view(View("2", "bob", "ours", "user=y", shared=True))
    assert [view.id for view in control.views("ann")] == ["1", "2"]
    control.remove_view("2", "ann")
    assert [view.id for view in control.views("carol")] == ["2"]


def test_an_incident_lives(control: SqlControlStore) -> None:
    incident = Incident("i1", "f", "many blocks", Severity.HIGH, IncidentState.OPEN, 1.0, 1.0, alert_ids=("a1",))
    control.keep_incident(incident)
    alert = Alert("a1", 1.0, "blocks", Severity.HIGH, "t", "f", trace_ids=("x",), labels=(("k", "v"),))
    control.add_alert(alert, "i1")
    control.add_alert(alert, "i1")
    assert control.open_incident("f") == incident
    assert control.alerts("i1") == [alert]
    control.move_incident("i1", Step(5.0, "ann", "note", "looking"), assignee="ann")
    control.move_incident("i1", Step(9.0, "ann", "state"), state=IncidentState.RESOLVED)
    found = control.incident("i1")
    assert found is not None
    assert (found.state, found.assignee, found.updated) == (IncidentState.RESOLVED, "ann", 9.0)
    assert control.open_incident("f") is None
    assert [step.kind for step in control.steps("i1")] == ["note", "state"]
    assert control.incidents([IncidentState.OPEN]) == []
    assert len(control.incidents()) == 1
    with pytest.raises(ValueError):
        control.move_incident("nope", Step(1.0, "ann", "note"))


def test_the_audit_log_is_paged_and_filtered(control: SqlControlStore) -> None:
    for number in range(10):
        control.note(AuditNote(float(number), "ann" if number % 2 else "bob", f"policy.{number}", "s", "d", "1.2.3.4"))
    newest = control.notes(limit=3)
    assert [note.at for note in newest] == [9.0, 8.0, 7.0]
    assert [note.at for note in control.notes(before=newest[-1].number, limit=2)] == [6.0, 5.0]
    assert len(control.notes(actor="ann")) == 5
    assert len(control.notes(action="policy.1")) == 1
    assert control.notes(action="%") == []


def test_the_small_things(control: SqlControlStore) -> None:
    control.block(Block("b", "user", "eve", 10.0, "why", "ann", 1.0))
    assert control.blocks()[0].value == "eve"
    control.unblock("b")
    assert control.blocks() == []
    assert control.setting("x") == ""
    control.set_setting("x", "1")
    control.set_setting("x", "2")
    assert control.setting("x") == "2"
    assert control.state("baselines") == b""
    control.set_state("baselines", b"\x00\xff")
    assert control.state("baselines") == b"\x00\xff"
    control.keep_health(ProxyHealth("p", 1.0, "v", "3", 10, 0.5, 1))
    control.keep_health(ProxyHealth("p", 2.0))
    assert control.proxies() == [ProxyHealth("p", 2.0)]
    control.add_delivery(Delivery(1.0, "slack", "incident i1", "sent"))
    assert control.deliveries()[0].outcome == "sent"


def test_migrations_make_just_the_tables_the_code_sees(control: SqlControlStore) -> None:
    engine = control._engine
    found = inspect(engine)
    assert set(found.get_table_names()) == {*tables.metadata.tables, "alembic_version"}
    for table in tables.metadata.tables.values():
        assert {column["name"] for column in found.get_columns(table.name)} == {c.name for c in table.columns}


def test_every_earlier_schema_is_brought_up_and_keeps_its_rows(tmp_path: Path) -> None:
    for revision in revisions():
        url = f"sqlite:///{tmp_path}/{revision}.db"
        engine = create_engine(url)
        upgrade(engine, revision)
        with engine.begin() as db:
            db.exec_driver_sql("INSERT INTO setting VALUES ('kept', 'yes')")
        engine.dispose()
        store = SqlControlStore(url, random=os.urandom)
        assert store.setting("kept") == "yes"
        store.close()


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/c.db"
    SqlControlStore(url, random=os.urandom).close()
    engine = create_engine(url)
    with engine.begin() as db:
        db.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    engine.dispose()
    with pytest.raises(StorageError, match="9999"):
        SqlControlStore(url, random=os.urandom)


def test_urls_that_cannot_be_used_are_said_without_the_password(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected sqlite or postgresql"):
        SqlControlStore("mysql://u:hunter2@h/d", random=os.urandom)
    with pytest.raises(StorageError) as caught:
        SqlControlStore("postgresql://u:hunter2@127.0.0.1:1/d", random=os.urandom, timeout=2.0)
    assert "hunter2" not in str(caught.value)


def test_errors_do_not_repeat_values(control: SqlControlStore) -> None:
    names = SimpleNamespace(secret="very-secret-value")
    control.close()
    with control._engine.begin() as db:
        db.exec_driver_sql("DROP TABLE setting")
    with pytest.raises(StorageError) as caught:
        control.set_setting("name", names.secret)
    assert names.secret not in str(caught.value)
