"""Carriers: the documents and tool answers in which an instruction may hide."""

from __future__ import annotations

import json
import random

from training.grammar import Grammar

KINDS = (
    "email",
    "html",
    "json",
    "markdown",
    "search",
    "log",
    "code",
    "review",
    "ticket",
    "resume",
    "chat",
    "csv",
    "plain",
    "yaml",
    "calendar",
    "diff",
    "slack",
    "wiki",
    "table",
    "plain",
    "email",
    "json",
)


def carry(g: Grammar, chance: random.Random, body: list[str], payload: str, real: list[str]) -> str:
    """A document of a random kind made of `body` sentences, with `payload` ("" for none) hidden in it."""
    kind = chance.choice(KINDS)
    filler = real and chance.random() < 0.5
    text = body if not filler else _cut(chance, chance.choice(real))
    parts = list(text)
    if payload:
        payload = dress(chance, payload, kind)
        spot = chance.choice([0, len(parts), len(parts), chance.randint(0, len(parts)), chance.randint(0, len(parts))])
        parts.insert(spot, payload)
    glue = chance.choice([" ", " ", "\n", "\n\n"])
    return shape(g, chance, kind, glue.join(parts))


def _cut(chance: random.Random, text: str) -> list[str]:
    size = chance.choice([200, 500, 900, 2000])
    start = 0 if len(text) <= size else chance.randint(0, len(text) - size)
    piece = text[start : start + size]
    return (
        [piece]
        if chance.random() < 0.3
        else [p for p in piece.replace("? ", "?|").replace(". ", ".|").split("|") if p.strip()]
    )


def dress(chance: random.Random, payload: str, kind: str) -> str:
    """`payload` as an attacker would put it into a document of `kind`."""
    if chance.random() < 0.5:
        payload = payload[:1].upper() + payload[1:]
    if payload[-1:].isalnum() and chance.random() < 0.7:
        payload += chance.choice([".", ".", "!", ""])
    roll = chance.random()
    if kind == "html" and roll < 0.6:
        return chance.choice(
            [
                "<!-- {} -->",
                '<p style="display:none">{}</p>',
                '<span style="color:#fff;font-size:0">{}</span>',
                '<img alt="{}">',
                "<div hidden>{}</div>",
            ]
        ).format(payload)
    if kind in ("code", "diff", "yaml") and roll < 0.8:
        return chance.choice(["# {}", "// {}", "/* {} */", '"""{}"""', "<!-- {} -->", "-- {}"]).format(payload)
    if roll < 0.08:
        return payload.upper()
    if roll < 0.14:
        return chance.choice(
            [
                "*** {} ***",
                "[{}]",
                "({})",
                "\n\n{}\n\n",
                "---\n{}\n---",
                "**{}**",
                "> {}",
                "<INFORMATION>\n{}\n</INFORMATION>",
            ]
        ).format(payload)
    return payload


def shape(g: Grammar, chance: random.Random, kind: str, text: str) -> str:
    """`text` inside the frame of a document of `kind`."""
    e = g.expand
    who = e("[Anna Berg|Tom Lee|newsletter|no-reply|Dr. Weiss|billing|Maria Silva|HR|j.doe]")
    title = e(
        "[Notes|FYI|Weekly update|Re: invoice 2231|Meeting minutes|About {topic}|Question on {topic}|Your order|Travel plans|Report]"
    )
    frames = {
        "email": e("[From: |From ]")
        + f"{who} <{who.split()[0].lower()}@example.com>\nSubject: {title}\n\n"
        + e("[Hi,|Hello team,|Dear all,||Hi Sam,]")
        + f"\n\n{text}\n\n"
        + e("[Best,|Regards,|Thanks,|Sent from my phone|]")
        + f" {who}",
        "html": f"<html><head><title>{title}</title></head><body><h1>{title}</h1><p>{text}</p></body></html>",
        "json": json.dumps(
            {chance.choice(["content", "body", "result", "text", "description"]): text, "status": 200, "title": title},
            ensure_ascii=False,
            indent=chance.choice([None, 2]),
        ),
        "markdown": f"# {title}\n\n{text}\n\n## " + e("[See also|Next steps|Links]") + "\n- " + e("{fact}"),
        "search": f"Search result 1: {title}\n{text}\n\nSearch result 2: " + e("{fact}"),
        "log": e("{log}") + "\n" + e("{log}") + f"\n{text}\n" + e("{log}"),
        "code": e("[```python|```js|```|]")
        + "\n"
        + e("{comment}")
        + "\n"
        + e("def f(x):|const x = 1;|import os|return a + b")
        + f"\n{text}\n"
        + e("{comment}"),
        "review": e("[★★★★☆|Rating: 4/5|5 stars|Review by Kim:]") + f" {text}",
        "ticket": f"Ticket #{chance.randint(100, 9999)} ({e('[open|closed|pending]')})\nTitle: {title}\nDescription: {text}\nComments:\n- "
        + e("{fact}"),
        "resume": f"{who}\nExperience: "
        + e("[five years as a {role_ok}|Senior engineer at Nordwind]")
        + "\nSkills: "
        + e("{software}, {software}")
        + f"\n{text}\nEducation: "
        + e("[BSc|MSc] in {topic}"),
        "chat": f"[09:12] {who}: "
        + e("{fact}")
        + f"\n[09:13] Kim: {text}\n[09:14] {who}: "
        + e("[ok|thanks!|see you later|sounds good]"),
        "csv": "id,name,comment\n1,Anna," + e("{fact}") + f'\n2,Tom,"{text}"\n3,Lee,' + e("{fact}"),
        "plain": text,
        "yaml": f"title: {title}\nnotes: |\n  {text}\nowner: {who}",
        "calendar": f"BEGIN:VEVENT\nSUMMARY:{title}\nDESCRIPTION:{text}\nLOCATION:Room 4\nEND:VEVENT",
        "diff": "--- a/main.py\n+++ b/main.py\n@@ -1,3 +1,4 @@\n+" + e("{comment}") + f"\n+{text}\n context = load()",
        "slack": f"{{'messages': [{{'sender': '{who}', 'body': '{text}'}}]}}",
        "wiki": f"{title}\nFrom the encyclopedia\n\n{text}\n\nReferences\n1. " + e("{fact}"),
        "table": "| key | value |\n|---|---|\n| note | " + text.replace("\n", " ") + " |\n| date | 2024-03-02 |",
    }
    return frames[kind]
