"""Each kind of channel against a receiver of its own: what arrives is what the service documents."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import replace
from email import message_from_bytes
from typing import Any

import pytest

from akto_proxy.model import IncidentState
from akto_proxy.store.control import Delivery
from akto_proxy.watch.desk import Notice
from akto_proxy.watch.notify.courier import MAX_QUEUE, Courier
from akto_proxy.watch.notify.forms import verify
from akto_proxy.watch.notify.schema import Channel

NOW = 1_700_000_000.0
SECRET = "0123456789abcdef"


def _courier(history: list[Delivery], *channels: Channel, waits: tuple[float, ...] = (0.01, 0.01)) -> Courier:
    return Courier(channels, history.append, now=lambda: NOW, random=os.urandom, host="box", waits=waits)


def _channel(kind: str, url: str, **more: Any) -> Channel:
    given = {"url": url, "secret": SECRET, "allow_private": True, "link": "https://dash.example"}
    return Channel(name=kind, kind=kind, **given, **more)


async def _tell(courier: Courier, notice: Notice) -> None:
    courier.start()
    assert courier.tell(notice) == 1
    await courier.stop(grace=5.0)


async def test_slack(receiver: Any, notice: Notice) -> None:
    """https://api.slack.com/messaging/webhooks: `text`, and `attachments` with fields."""
    slack, history = await receiver("http"), []
    await _tell(_courier(history, _channel("slack", slack.url + "/services/T/B/x")), notice)
    [heard] = slack.heard
    body = json.loads(heard.body)
    assert heard.path == "/services/T/B/x"
    assert body["text"].startswith("[high] New incident")
    assert {item["title"] for item in body["attachments"][0]["fields"]} >= {"Subject", "Expected", "Seen", "Trace"}
    assert b"<!channel>" not in heard.body
    assert [item.outcome for item in history] == ["sent"]


async def test_teams(receiver: Any, notice: Notice) -> None:
    """Workflows' webhook: a message with one Adaptive Card."""
    teams = await receiver("http")
    await _tell(_courier([], _channel("teams", teams.url)), notice)
    body = json.loads(teams.heard[0].body)
    card = body["attachments"][0]
    assert body["type"] == "message"
    assert card["contentType"] == "application/vnd.microsoft.card.adaptive"
    assert (card["content"]["type"], card["content"]["version"]) == ("AdaptiveCard", "1.4")


async def test_pagerduty(receiver: Any, notice: Notice) -> None:
    """Events API v2: trigger and resolve share a dedup_key."""
    pager = await receiver("http")
    courier = _courier([], _channel("pagerduty", pager.url + "/v2/enqueue"))
    courier.start()
    courier.tell(notice)
    courier.tell(replace(notice, event="resolved"))
    await courier.stop(grace=5.0)
    opened, resolved = (json.loads(item.body) for item in pager.heard)
    assert opened["routing_key"] == SECRET
    assert (opened["event_action"], resolved["event_action"]) == ("trigger", "resolve")
    assert opened["dedup_key"] == resolved["dedup_key"] == "i" * 32
    assert {"summary", "source", "severity"} <= set(opened["payload"])
    assert opened["payload"]["severity"] == "error"


async def test_opsgenie(receiver: Any, notice: Notice) -> None:
    """Alert API: create by alias, close by alias."""
    genie = await receiver("http")
    courier = _courier([], _channel("opsgenie", genie.url + "/v2/alerts"))
    courier.start()
    courier.tell(notice)
    courier.tell(replace(notice, event="resolved"))
    await courier.stop(grace=5.0)
    created, closed = genie.heard
    assert created.headers["authorization"] == f"GenieKey {SECRET}"
    body = json.loads(created.body)
    assert (body["alias"], body["priority"]) == ("i" * 32, "P2")
    assert len(body["message"]) <= 130
    assert closed.path == f"/v2/alerts/{'i' * 32}/close?identifierType=alias"


async def test_a_webhook_is_signed_and_a_copy_is_worth_nothing(receiver: Any, notice: Notice) -> None:
    hook = await receiver("http")
    await _tell(_courier([], _channel("webhook", hook.url)), notice)
    [heard] = hook.heard
    stamp, nonce = heard.headers["x-akto-timestamp"], heard.headers["x-akto-id"]
    signature, seen = heard.headers["x-akto-signature"], set()
    assert verify(SECRET, stamp, nonce, heard.body, signature, NOW, seen)
    assert not verify(SECRET, stamp, nonce, heard.body, signature, NOW, seen)
    assert not verify(SECRET, stamp, nonce, heard.body, signature, NOW + 301, set())
    assert not verify("other", stamp, nonce, heard.body, signature, NOW, set())
    assert not verify(SECRET, stamp, nonce, heard.body + b" ", signature, NOW, set())


async def test_ocsf_over_a_webhook(receiver: Any, notice: Notice) -> None:
    """OCSF 1.3, class 2004: the required attributes of a Detection Finding."""
    hook = await receiver("http")
    await _tell(_courier([], _channel("webhook", hook.url, form="ocsf")), notice)
    body = json.loads(hook.heard[0].body)
    required = {
        "activity_id",
        "category_uid",
        "class_uid",
        "finding_info",
        "metadata",
        "severity_id",
        "time",
        "type_uid",
    }
    assert required <= set(body)
    assert body["type_uid"] == body["class_uid"] * 100 + body["activity_id"]
    assert body["time"] == int(NOW * 1000)


async def test_mail(receiver: Any, notice: Notice) -> None:
    server = await receiver("smtp")
    channel = Channel(
        name="mail", kind="email", host="127.0.0.1", port=server.port, transport="tcp", sender="a@example.com",
        to=("b@example.com",), allow_private=True,
    )  # fmt: skip
    await _tell(_courier([], channel), notice)
    lines = server.lines
    mail = message_from_bytes(b"".join(lines[lines.index(b"data\r\n") + 1 :]))
    assert mail["To"] == "b@example.com"
    assert mail["Subject"].startswith("[high] New incident")
    assert mail["Injected"] is None
    assert mail["References"] == f"<{'i' * 32}@akto-agent-proxy>"


@pytest.mark.parametrize("form", ["cef", "ocsf", "json"])
async def test_syslog(receiver: Any, notice: Notice, form: str) -> None:
    """RFC 6587 octet counting around RFC 5424, with CEF's seven fields or one JSON document."""
    server = await receiver("syslog")
    channel = Channel(
        name="siem", kind="syslog", host="127.0.0.1", port=server.port, transport="tcp", form=form, allow_private=True
    )
    await _tell(_courier([], channel), notice)
    size, _, line = server.lines[0].partition(b" ")
    assert int(size) == len(line)
    assert line.startswith(b"<107>1 2023-11-14T22:13:20.")
    said = line.split(b" - ", 2)[2]
    if form == "cef":
        assert said.startswith(b"CEF:0|akto-agent-proxy|akto-agent-proxy|1|exfiltration|")
        assert b"\n" not in said
        assert b"externalId=" + b"i" * 32 in said
    else:
        json.loads(said)


async def test_what_fails_is_tried_again_and_the_history_says_so(receiver: Any, notice: Notice) -> None:
    hook, history = await receiver("http"), []
    hook.answers = [503, 429, 200]
    await _tell(_courier(history, _channel("webhook", hook.url)), notice)
    assert [item.outcome for item in history] == ["retry", "retry", "sent"]
    assert [item.detail for item in history] == ["answered 503", "answered 429", ""]
    assert len({item.headers["x-akto-id"] for item in hook.heard}) == 3


async def test_what_keeps_failing_is_a_dead_letter_that_can_be_sent_again(receiver: Any, notice: Notice) -> None:
    hook, history = await receiver("http"), []
    hook.answers = [500, 500, 500, 200]
    courier = _courier(history, _channel("webhook", hook.url))
    courier.start()
    courier.tell(notice)
    while not courier.dead:
        await asyncio.sleep(0.01)
    assert courier.redeliver() == 1
    await courier.stop(grace=5.0)
    assert [item.outcome for item in history] == ["retry", "retry", "dead", "sent"]


async def test_a_redirect_is_not_followed_and_a_mistake_not_repeated(receiver: Any, notice: Notice) -> None:
    hook, history = await receiver("http"), []
    for status in (302, 404):
        hook.answers = [status]
        await _tell(_courier(history, _channel("webhook", hook.url)), notice)
    assert [(item.outcome, item.detail) for item in history] == [("dead", "answered 302"), ("dead", "answered 404")]
    assert len(hook.heard) == 2


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "0.0.0.0", "169.254.169.254", "10.0.0.1"])
async def test_an_inner_address_is_refused_when_it_is_dialled(receiver: Any, notice: Notice, host: str) -> None:
    hook, history = await receiver("http"), []
    channel = Channel(name="w", kind="webhook", url=f"http://{host}:{hook.port}/", secret=SECRET)
    await _tell(_courier(history, channel), notice)
    assert not hook.heard
    assert [item.outcome for item in history] == ["dead"]
    assert "not public" in history[0].detail
    assert host not in history[0].detail


async def test_a_full_queue_is_counted_and_written_down(notice: Notice) -> None:
    history: list[Delivery] = []
    courier = _courier(history, _channel("webhook", "http://127.0.0.1:1/"))  # not started: nothing is taken out
    told = sum(courier.tell(notice) for _ in range(MAX_QUEUE + 3))
    assert (told, courier.counters.dropped) == (MAX_QUEUE, 3)
    assert {item.outcome for item in history} == {"dead"}


async def test_a_channel_hears_of_what_is_severe_enough_or_meant_for_it(receiver: Any, notice: Notice) -> None:
    hook = await receiver("http")
    courier = _courier([], _channel("webhook", hook.url, severity="critical"))
    assert courier.tell(notice) == 0
    assert courier.tell(replace(notice, channels=("webhook",))) == 1
    assert courier.tell(replace(notice, channels=("other",))) == 0


async def test_no_secret_is_in_the_history(receiver: Any, notice: Notice) -> None:
    history: list[Delivery] = []
    await _tell(_courier(history, _channel("slack", "http://127.0.0.1:1/services/hidden"), waits=()), notice)
    assert history
    assert all("hidden" not in f"{item}" and SECRET not in f"{item}" for item in history)
    assert notice.incident.state is IncidentState.OPEN
