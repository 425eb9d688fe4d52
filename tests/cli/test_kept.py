"""The commands about kept data, run as an operator runs them, over a small spool and store."""

from __future__ import annotations

import json
import os
import time
from base64 import b64encode
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
import typer
from typer.testing import CliRunner

from akto_proxy.cli import audit, data, spool, traces
from akto_proxy.config.keys import deployment_key
from akto_proxy.errors import ConfigError, StorageError
from akto_proxy.model import Action, Caller, Decision, Direction, Message, Severity, Trace
from akto_proxy.spool.audit import Signer
from akto_proxy.spool.frame import Frame, Kind
from akto_proxy.spool.layout import Cursor, segments, write_cursor, writers
from akto_proxy.spool.read import read_all
from akto_proxy.spool.writer import Spool
from akto_proxy.store.control_sql import SqlControlStore
from akto_proxy.store.face import Entry, Link, Note
from akto_proxy.store.seal import sealer
from akto_proxy.store.sqlite import SqliteStore

KEY = b64encode(b"k" * 32).decode()


def trace(number: int) -> Trace:
    action = Action.BLOCK if number % 2 else Action.ALLOW
    made = Decision("default", "jailbreak", "j", "JAILBREAK", Severity.HIGH, action, Direction.REQUEST)
    body = sealer(KEY, os.urandom)(b"the plain text") if number == 3 else f"text {number} [red]markup[/red]"
    return Trace(
        f"{number:032x}", time.time() - 100 + number, "e", "POST", "/v1/chat/completions", "openai-chat", "vllm", 200,
        "ok", action, model="m", caller=Caller("1.2.3.4", user=f"user{number % 3}"),
        request=Message((), body, "sealed" if number == 3 else "text", 20), decisions=(made,) if number % 2 else (),
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Ten traces in the spool and, with their links, in the store."""
    signer = Signer(deployment_key(tmp_path, spool.AUDIT_KEY))
    writer = Spool(tmp_path / "spool", clock=time.time, name="w1", signer=signer)
    for number in range(10):
        writer.append(orjson.dumps(trace(number)))
    writer.close()
    entries, notes = [], []
    for _, item in read_all(tmp_path / "spool" / "w1"):
        assert isinstance(item, Frame)
        link = Link("w1", item.number, item.digest.hex(), item.chain.hex())
        if item.kind is Kind.TRACE:
            found = orjson.loads(item.payload)["id"]
            entries.append(Entry(trace(int(found, 16)), item.payload, link))
        else:
            notes.append(Note(link, item.kind.name.lower(), item.payload))
    store = SqliteStore(tmp_path / "traces.db")
    store.insert_many(entries, notes)
    store.close()
    return tmp_path


def run(app: typer.Typer, folder: Path, *arguments: str, **env: str) -> Any:
    return CliRunner().invoke(app, arguments, env={"DATA_DIR": str(folder), "COLUMNS": "200", **env})


def test_traces_are_listed_filtered_and_given_as_json(folder: Path) -> None:
    shown = run(traces.app, folder, "list")
    assert shown.exit_code == 0
    assert shown.output.count("block") == 5
    lines = run(traces.app, folder, "list", "--json", "--verdict", "block", "--limit", "3").output.splitlines()
    assert [json.loads(line)["id"] for line in lines] == [f"{number:032x}" for number in (9, 7, 5)]
    assert "No traces" in run(traces.app, folder, "list", "--since", "1s").output
    assert run(traces.app, folder, "list", "--verdict", "maybe").exit_code != 0


def test_a_refused_call_is_listed_as_blocked_with_its_outcome_and_shown_with_its_reason(tmp_path: Path) -> None:
    refused = replace(
        trace(2), path="/pause", status=403, outcome="refused", verdict=Action.BLOCK, decisions=(),
        tags=(("reason", "route_not_allowed"),),
    )  # fmt: skip
    store = SqliteStore(tmp_path / "traces.db")
    store.insert_many([refused])
    store.close()
    line = run(traces.app, tmp_path, "list", "--verdict", "block").output.splitlines()[-1]
    assert line.split()[3:5] == ["block", "403"]
    assert line.split()[-1] == "refused"
    shown = run(traces.app, tmp_path, "show", refused.id).output
    assert "verdict: block" in shown
    assert "reason=route_not_allowed" in shown


def test_a_trace_is_shown_whole_and_markup_in_it_does_nothing(folder: Path) -> None:
    shown = run(traces.app, folder, "show", f"{1:032x}").output
    assert "text 1 [red]markup[/red]" in shown
    assert "default/jailbreak" in shown
    assert json.loads(run(traces.app, folder, "show", "--json", f"{1:032x}").output)["model"] == "m"
    assert run(traces.app, folder, "show", "nope").exit_code != 0


def test_a_sealed_body_opens_with_the_key_alone(folder: Path) -> None:
    name = f"{3:032x}"
    assert "the plain text" not in run(traces.app, folder, "show", name).output
    assert "the plain text" in run(traces.app, folder, "show", "--open", name, CAPTURE_KEY=KEY).output
    other = b64encode(b"o" * 32).decode()
    assert run(traces.app, folder, "show", "--open", name, CAPTURE_KEY=other).exit_code != 0


def test_the_spool_is_listed_printed_and_verified(folder: Path) -> None:
    (row,) = (json.loads(line) for line in run(spool.app, folder, "ls", "--json").output.splitlines())
    assert (row["writer"], row["alive"], row["segments"]) == ("w1", False, 1)
    assert len(run(spool.app, folder, "cat").output.splitlines()) == 10
    assert run(spool.app, folder, "verify").exit_code == 0
    path = segments(folder / "spool" / "w1")[0]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    broken = run(spool.app, folder, "verify")
    assert broken.exit_code == 1
    assert "NOT SOUND" in broken.output
    assert run(spool.app, folder, "cat", "other").exit_code != 0


def test_an_erased_user_is_gone_and_the_audit_still_holds(folder: Path) -> None:
    assert run(audit.app, folder, "verify").exit_code == 0
    assert run(data.app, folder, "delete", "--user", "user1").exit_code != 0, "asked, and nobody said yes"
    done = run(data.app, folder, "delete", "--user", "user1", "--yes")
    assert "3 traces erased" in done.output
    proof = run(audit.app, folder, "verify")
    assert proof.exit_code == 0
    assert "3 erased" in proof.output
    exported = run(data.app, folder, "export").output
    assert '"user":"user1"' not in exported
    control = SqlControlStore(f"sqlite:///{folder}/control.db", random=os.urandom)
    (note,) = control.notes()
    control.close()
    assert "user1" not in repr(note), "the log of an erasure does not keep whom"
    assert run(data.app, folder, "delete").exit_code != 0


def test_a_changed_record_in_the_store_is_found(folder: Path) -> None:
    import sqlite3

    db = sqlite3.connect(folder / "traces.db")
    db.execute("UPDATE link SET digest = zeroblob(32) WHERE number = 4")
    db.commit()
    db.close()
    found = run(audit.app, folder, "verify")
    assert found.exit_code == 1
    assert "record 4" in found.output


def test_a_command_that_looks_makes_nothing_where_there_is_no_store(tmp_path: Path) -> None:
    nowhere = tmp_path / "misspelt"
    for app, arguments in (
        (traces.app, ("list",)),
        (data.app, ("export",)),
        (data.app, ("delete", "--user", "x")),
        (audit.app, ("verify",)),
    ):
        tried = run(app, nowhere, *arguments)
        assert isinstance(tried.exception, ConfigError)
        assert "DATA_DIR" in str(tried.exception)
    assert not nowhere.exists()


def test_what_cannot_be_written_or_is_not_there_is_a_sentence(folder: Path) -> None:
    tried = run(data.app, folder, "export", "/nowhere/out.jsonl")
    assert isinstance(tried.exception, StorageError)
    assert "No such file" in str(tried.exception)
    tried = run(audit.app, folder, "verify", "other")
    assert isinstance(tried.exception, ConfigError)
    assert "'other'" in str(tried.exception)
    assert "is empty" in run(data.app, folder, "export", str(folder / "none.jsonl"), "--since", "1s").output


def test_an_erasure_says_what_still_waits_in_the_spool(folder: Path) -> None:
    assert "run this again" in run(data.app, folder, "delete", "--user", "user1", "--yes").output
    for directory in writers(folder / "spool"):
        write_cursor(directory, Cursor(10**9, 0, 10))
    assert "run this again" not in run(data.app, folder, "delete", "--user", "user2", "--yes").output


def test_export_to_a_file_is_private(folder: Path) -> None:
    out = folder / "out.jsonl"
    assert run(data.app, folder, "export", str(out), "--since", "1h").exit_code == 0
    assert len(out.read_bytes().splitlines()) == 10
    assert out.stat().st_mode & 0o077 == 0
