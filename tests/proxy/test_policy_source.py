"""Where policies are pulled from: our collector's real app, and what Akto answers."""

from __future__ import annotations

import os
from pathlib import Path

import httpx
import pytest

from akto_proxy.collector.app import create_app
from akto_proxy.proxy.policy_source import MAX_ANSWER, AktoPolicies, CollectorPolicies, SourceError
from akto_proxy.store.control_sql import SqlControlStore
from akto_proxy.store.open import open_traces


@pytest.fixture
def control(tmp_path: Path):
    store = SqlControlStore(f"sqlite:///{tmp_path / 'control.db'}", random=os.urandom)
    yield store
    store.close()


@pytest.fixture
async def collector(tmp_path: Path, control):
    traces = open_traces(f"sqlite:///{tmp_path / 'traces.db'}")
    app = create_app(traces, control, now=lambda: 1.0, random=os.urandom, local_token="secret")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as client:
        yield client
    traces.close()


def saying(status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> httpx.AsyncClient:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(status, content=body, headers=headers)

    client = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    client.seen = seen  # type: ignore[attr-defined]
    return client


async def test_a_collector_gives_its_version_once(collector, control):
    source = CollectorPolicies(collector, "http://collector/", "secret")
    assert source.name == "http://collector"
    assert await source.fetch("") is None
    control.add_version("version: 1 # é\n", author="ann", at=1.0)
    first = await source.fetch("")
    assert first is not None
    assert (first.text, first.number) == ("version: 1 # é\n", 1)
    assert await source.fetch(first.tag) is None
    control.add_version("version: 1\n", author="ann", at=2.0)
    assert (await source.fetch(first.tag)).number == 2


async def test_a_wrong_token_is_said_without_the_token(collector):
    with pytest.raises(SourceError, match=r"refuses the token \(401\); check AKTO_API_TOKEN") as told:
        await CollectorPolicies(collector, "http://collector", "wrong-one").fetch("")
    assert "wrong-one" not in str(told.value)


@pytest.mark.parametrize(
    ("status", "said"), [(403, "refuses the token"), (404, "no policies to pull"), (500, "stays"), (200, "stays")]
)
async def test_what_is_no_policy_is_said(status, said):
    with pytest.raises(SourceError, match=said):
        await CollectorPolicies(saying(status), "http://collector", "t").fetch("")


async def test_a_server_that_is_away_or_never_ends_is_said():
    def away(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no")

    client = httpx.AsyncClient(transport=httpx.MockTransport(away))
    with pytest.raises(SourceError, match="cannot be reached"):
        await CollectorPolicies(client, "http://collector", "t").fetch("")
    with pytest.raises(SourceError, match="more than"):
        await AktoPolicies(saying(200, b"x" * (MAX_ANSWER + 1)), "http://akto", "t").fetch("")


async def test_akto_is_asked_as_its_own_clients_ask_and_its_list_is_told_apart_by_content():
    client = saying(200, b'{"guardrailPolicies":[]}')
    source = AktoPolicies(client, "http://akto/", "jwt")
    found = await source.fetch("")
    assert found is not None
    assert found.number == 0
    assert await source.fetch(found.tag) is None
    request = client.seen[0]  # type: ignore[attr-defined]
    assert (request.method, request.url.path, request.content) == ("POST", "/api/fetchGuardrailPolicies", b"{}")
    assert request.headers["authorization"] == "jwt"
