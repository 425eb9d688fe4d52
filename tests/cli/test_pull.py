"""Pulling policies: proved, kept, refused loudly, and in force without the collector."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
import structlog

from akto_proxy.cli import build, pull, pulled
from akto_proxy.config.settings import load
from akto_proxy.proxy.policy_source import AktoPolicies, CollectorPolicies, Fetched, SourceError

GOOD = "version: 1\npolicies: [{name: own, rules: [{words: [spade], action: block}]}]\n"
OTHER = GOOD.replace("spade", "shovel")
BAD = GOOD.replace("words: [spade]", "regex: '(?=x)', match: [x], no_match: [y]")


class Source:
    """A source that says what it is told to, one answer a turn."""

    name = "http://collector:1"

    def __init__(self, *answers: Fetched | Exception | None) -> None:
        self.answers = list(answers)
        self.tags: list[str] = []

    async def fetch(self, tag: str) -> Fetched | None:
        self.tags.append(tag)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def settings(folder: Path, **given: str):
    return load({"DATA_DIR": str(folder), **given})


def names(chosen) -> list[str]:
    return [policy.name for policy in build.policies(chosen)]


async def test_a_pulled_version_is_in_force_and_stays_when_the_collector_is_away(tmp_path: Path):
    here = settings(tmp_path)
    assert names(here) != ["own"]
    puller = pull.Puller(here, Source(Fetched(GOOD, '"1"', 1), SourceError("away"), None), pull.prove)
    assert await puller.turn()
    assert names(here) == ["own"]
    assert not await puller.turn()
    assert names(here) == ["own"]
    assert puller.problem == ""
    assert names(settings(tmp_path)) == ["own"], "a start without a collector"
    assert puller.origin.tags == ["", '"1"']


async def test_a_source_that_is_away_is_asked_in_a_second_and_then_less_often(
    tmp_path: Path,
):
    here = settings(tmp_path)
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 9:
            raise asyncio.CancelledError

    away = [SourceError("away")] * 6
    puller = pull.Puller(here, Source(*away, None, *away), pull.prove, sleep)
    with pytest.raises(asyncio.CancelledError):
        await puller.run()
    assert waits == [1, 2, 4, 8, 15, 15, here.policy_interval, 1, 2]


async def test_a_bad_version_is_refused_told_once_and_the_good_one_stays(tmp_path: Path):
    here = settings(tmp_path)
    source = Source(Fetched(GOOD, "a", 1), Fetched(BAD, "b", 2), None, Fetched(OTHER, "c", 3))
    puller = pull.Puller(here, source, pull.prove)
    await puller.turn()
    before = build.policy_set(build.policies(here)).version
    with structlog.testing.capture_logs() as logs:
        await puller.turn()
        await puller.turn()
    assert [(line["log_level"], line["version"]) for line in logs] == [("error", 2)]
    assert puller.problem.startswith("version 2 is refused: policy: policies[0].rules[0]: pattern: lookahead")
    assert build.policy_set(build.policies(here)).version == before
    assert pull.InForce(here, puller).look() == (before, puller.problem)
    await puller.turn()
    assert puller.problem == ""
    assert pull.InForce(here, puller).look()[0] != before
    assert source.tags == ["", "a", "b", "b"]


async def test_a_version_whose_patterns_take_too_long_is_refused(tmp_path: Path):
    def slow(_settings: object, _text: str) -> None:
        build.engine([], None, custom=build.shipped_rules()[:1], deadline=0.01)

    puller = pull.Puller(settings(tmp_path), Source(Fetched(GOOD, "a", 1)), slow)
    await puller.turn()
    assert "to compile" in puller.problem
    assert pulled.read(settings(tmp_path)) is None


async def test_packs_stand_beside_a_pulled_policy_but_not_twice(tmp_path: Path):
    here = settings(tmp_path, PACKS="secrets")
    alone = names(settings(tmp_path, PACKS="secrets", POLICY_SOURCE="file"))
    packed = [policy.name for policy in build.pack("secrets")]
    await pull.Puller(here, Source(Fetched(GOOD, "a", 1)), pull.prove).turn()
    assert names(here) == ["own", *packed]
    adopted = build.text(settings(tmp_path, PACKS="secrets", POLICY_SOURCE="file"))
    await pull.Puller(here, Source(Fetched(adopted, "b", 2)), pull.prove).turn()
    assert sorted(names(here)) == sorted(alone)


async def test_akto_policies_are_pulled_as_far_as_they_can_be_mapped(tmp_path: Path):
    answer = {"guardrailPolicies": [{"name": "Akto one", "active": True, "behaviour": "block", "gibberishDetection":
              {"enabled": True}, "wordFilters": {"customWords": ["spade"]}, "llmRule": {"enabled": True,
              "userPrompt": "no politics"}}]}  # fmt: skip

    class Client:
        async def request(self, *_: object, **__: object):
            import httpx

            return httpx.Response(200, content=json.dumps(answer))

    here = settings(tmp_path, POLICY_SOURCE="akto", AKTO_POLICY_URL="http://cyborg.example", AKTO_API_TOKEN="jwt")
    puller = pull.Puller(here, AktoPolicies(Client(), here.akto_policy_url, "jwt"), pull.prove)  # type: ignore[arg-type]
    with structlog.testing.capture_logs() as logs:
        await puller.turn()
    assert puller.problem == ""
    assert len(names(here)) == 1
    assert any("llmRule" in line.get("part", "") for line in logs)


def test_where_a_tree_pulls_from(tmp_path: Path):
    def found(embedded: bool, **given: str):
        return pull.source(None, settings(tmp_path, **given), embedded=embedded)  # type: ignore[arg-type]

    assert found(False) is None
    assert found(True, SERVER_PORT="1234").name == "http://127.0.0.1:1234"
    assert found(True, POLICY_FILE="x.yaml") is None
    remote = {"AKTO_API_BASE_URL": "https://c.example", "INGEST_FORM": "collector"}
    assert found(True, **remote).name == "https://c.example"
    assert isinstance(found(False, **remote), CollectorPolicies)
    assert found(False, AKTO_API_BASE_URL="https://akto.example") is None
    akto = {"POLICY_SOURCE": "akto", "AKTO_POLICY_URL": "https://cyborg.example", "AKTO_API_TOKEN": "jwt"}
    assert isinstance(found(True, **akto), AktoPolicies)


def test_a_look_costs_nothing_while_no_file_changed(tmp_path: Path):
    own = tmp_path / "own.yaml"
    own.write_text(GOOD)
    force = pull.InForce(settings(tmp_path, POLICY_FILE=str(own)), None)
    first = force.look()
    assert first == force.look()
    assert first[1] == ""
    own.write_text("not yaml: [")
    version, problem = force.look()
    assert version == first[0]
    assert "not valid YAML" in problem
