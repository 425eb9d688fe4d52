"""The answer as a stream: events wait in order until every text in them is cleared, then go out byte for byte.

Texts that continue each other (the deltas of one choice) form a lane; each lane has a StreamGuard that holds back only
what a rule may still claim. A redaction is written where the match began; the rest of the match leaves its events
empty, so the caller gets as many events as the model sent. Detectors that are not local (learned ones, decoded views)
read windows of what was released: they can end a stream, but not recall its last `WINDOW` characters. That is the
trade-off for a first token without delay, and docs/streams.md says so.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from akto_proxy.exchange.masking import masked
from akto_proxy.guard.stream import StreamGuard
from akto_proxy.model import Action, Decision, Direction, Finding, Role, Segment, Usage
from akto_proxy.policy.checks import MAX_ARGUMENTS, is_call
from akto_proxy.policy.compile import Edit, Judgement
from akto_proxy.wire.calls import calls
from akto_proxy.wire.stream import Event, Slot, StreamReader

WINDOW = 512
"""Characters of released text after which windowed detectors look again."""
OVERLAP = 256
"""Characters of the window before that are read again, so that a sentence cut in two is still seen whole."""
LOOSE = 256
"""Strings outside lanes kept for the trace of a stream that has no lane at all."""
MOST_TOOLS = 16
"""Names of called tools kept of one answer."""
_TOOL_NAMES = ("/function/name", "/content_block/name", "/item/name")


class Judge(Protocol):
    """What the stream asks of the exchange that owns it."""

    def open_lane(self) -> StreamGuard:
        """A fresh StreamGuard for one lane."""
        ...

    def scan(self, segments: Sequence[Segment]) -> list[list[Finding]]:
        """Findings of whole texts, one list a segment."""
        ...

    def calls(self, segments: Sequence[Segment]) -> Judgement:
        """What the policy makes of tool calls: their names and arguments, whole."""
        ...

    def look(self, segment: Segment) -> Judgement:
        """What the policy makes of a window, as far as its lane's StreamGuard has not said it already."""
        ...

    def decide(self, role: Role, place: str, text: str, findings: Sequence[Finding]) -> Judgement:
        """What the policy makes of findings in one piece of text."""
        ...

    def render(self, edit: Edit, matched: str) -> str:
        """The replacement of one matched text."""
        ...


class _Waiting:
    """An event and what keeps it back."""

    __slots__ = ("changes", "event", "open")

    def __init__(self, event: Event) -> None:
        self.event = event
        self.open = 0
        self.changes: dict[int, str] | None = None


class _Part:
    """The text one event adds to a lane: `done` characters are cleared; `out` is set once anything changed."""

    __slots__ = ("done", "out", "slot", "text", "waiting")

    def __init__(self, waiting: _Waiting, slot: int, text: str) -> None:
        self.waiting = waiting
        self.slot = slot
        self.text = text
        self.done = 0
        self.out: list[str] | None = None


class _Lane:
    """Text that is continued from event to event."""

    __slots__ = (
        *("changed", "cumulative", "guard", "held", "kept", "kept_size", "parts", "role", "since", "total", "window"),
    )

    def __init__(self, guard: StreamGuard, slot: Slot) -> None:
        self.guard = guard
        self.role = slot.role
        self.cumulative = slot.cumulative
        self.parts: deque[_Part] = deque()
        self.kept: list[str] = []
        self.kept_size = 0
        self.changed = False
        self.total: list[str] = []  # what the caller has been given, for cumulative lanes only
        self.window = ""
        self.since = 0
        self.held: list[str] | None = None  # a tool call's text that waits until the call is whole


class AnswerStream:
    """Bytes of an event stream in, bytes for the caller out.

    Args:
        reader: cuts the bytes into events.
        judge: the exchange, asked about texts.
        keep: characters of each lane kept for the trace.
        tail: makes the route's own ending of a blocked stream out of the block message.
        calls: whether tool calls wait until they are whole, to be judged so.
        sizes: whether text is judged though nothing was found in it.
    """

    def __init__(
        self,
        reader: StreamReader,
        judge: Judge,
        *,
        keep: int,
        tail: Callable[[str], bytes],
        calls: bool = False,
        sizes: bool = False,
    ) -> None:
        self._calls = calls
        self._sizes = sizes
        self._held = 0
        self._reader = reader
        self._judge = judge
        self._keep = keep
        self._tail = tail
        self._queue: deque[_Waiting] = deque()
        self._lanes: dict[str, _Lane] = {}
        self.decisions: list[Decision] = []
        self.loose: list[str] = []
        self._tools: list[str] = []
        self.usage: Usage | None = None
        self.events = 0
        self.truncated = False
        self.cut = False

    def feed(self, data: bytes) -> bytes:
        """Bytes from upstream to bytes for the caller: b"" while everything is held back."""
        return self._take(self._reader.feed(data))

    def finish(self) -> bytes:
        """The end of upstream's bytes: everything still held back, cleared or redacted."""
        out = self._take(self._reader.finish())
        return out + self._close_lanes() if not self.cut else out

    def texts(self) -> dict[str, str]:
        """Lane name to the text the trace keeps (masked), up to `keep` characters each."""
        return {name: "".join(lane.kept) for name, lane in self._lanes.items()}

    def counted(self) -> int:
        """Tokens of the answer by what passed: the events, or a token for each four characters, whichever is more."""
        return max(self.events if self._lanes else 0, sum(lane.kept_size for lane in self._lanes.values()) // 4)

    def _take(self, events: list[Event]) -> bytes:
        out: list[bytes] = []
        for event in events:
            if self.cut:
                break
            self.events += 1
            self.usage = event.usage or self.usage
            waiting = _Waiting(event)
            self._queue.append(waiting)
            blocked = self._read(waiting)
            if blocked is None and event.done:
                blocked = self._finish_lanes()
            self._flush(out)
            if blocked is not None:
                out.append(self._block(blocked))
        return b"".join(out)

    @property
    def tools(self) -> list[str]:
        """The names of tools that were called, as they may be kept: from whole strings and from lanes of deltas."""
        named = ["".join(lane.kept)[:64] for place, lane in self._lanes.items() if place.endswith(_TOOL_NAMES)]
        return [*self._tools, *filter(None, named)][:MOST_TOOLS]

    def _close_lanes(self) -> bytes:
        out: list[bytes] = []
        blocked = self._finish_lanes()
        self._flush(out)
        if blocked is not None:
            out.append(self._block(blocked))
        return b"".join(out)

    def _read(self, waiting: _Waiting) -> Judgement | None:
        loose: list[tuple[int, Slot]] = []
        for index, slot in enumerate(waiting.event.slots):
            if slot.lane is None:
                loose.append((index, slot))
                continue
            text = slot.new if slot.cumulative else slot.text
            if not text:
                continue
            lane = self._lanes.get(slot.lane)
            if lane is None:
                lane = self._lanes[slot.lane] = _Lane(self._judge.open_lane(), slot)
                lane.held = [] if self._calls and is_call(slot.lane) else None
            lane.parts.append(_Part(waiting, index, text))
            waiting.open += 1
            if lane.held is not None:
                lane.held.append(text)
                self._held += len(text)
                continue
            released = lane.guard.feed(text)
            if released.text:
                blocked = self._release(slot.lane, lane, released.text, released.findings)
                if blocked is not None:
                    return blocked
        blocked = self._read_loose(waiting, loose) if loose else None
        if blocked is None and self._calls and waiting.event.tree is not None:
            blocked = self._read_objects(waiting.event.tree)
        # Longer than any arguments that can be judged: what came is judged as it is, and found wrong.
        return self._close_calls() if blocked is None and self._held > MAX_ARGUMENTS else blocked

    def _read_loose(self, waiting: _Waiting, loose: list[tuple[int, Slot]]) -> Judgement | None:
        """Strings that stand alone in an event: whole, so they are judged at once."""
        segments = [Segment(slot.text, slot.place, slot.role, Direction.RESPONSE) for _, slot in loose]
        if self._calls and (parts := [item for item in segments if is_call(item.place)]):
            judgement = self._judge.calls(parts)
            self.decisions.extend(judgement.decisions)
            if judgement.action is Action.BLOCK:
                return judgement
        for (index, slot), findings in zip(loose, self._judge.scan(segments), strict=True):
            if not findings and not self._sizes:
                self._clean(slot)
                continue
            judgement = self._judge.decide(slot.role, slot.place, slot.text, findings)
            if not judgement.decisions:
                self._reader.trust(slot.text)  # no policy takes what was found: it need not be found in every event
                continue
            self.decisions.extend(judgement.decisions)
            if judgement.action is Action.BLOCK:
                return judgement
            edits = judgement.edits.get(0)
            if not findings:
                self._clean(slot)
            elif edits:
                if waiting.changes is None:
                    waiting.changes = {}
                waiting.changes[index] = self._edited(slot.text, edits)
        return None

    def _read_objects(self, tree: Any) -> Judgement | None:
        """Arguments of tool calls that are JSON objects in one event: whole, so they are judged at once."""
        arguments = calls(tree, Direction.RESPONSE, streamed=True)
        if not arguments:
            return None
        judgement = self._judge.calls(arguments)
        self.decisions.extend(judgement.decisions)
        return judgement if judgement.action is Action.BLOCK else None

    def _clean(self, slot: Slot) -> None:
        text = slot.text
        if not (self._calls and is_call(slot.place)):  # the same tool called again is another call
            self._reader.trust(text)
        if slot.place.endswith(_TOOL_NAMES) and len(self._tools) < MOST_TOOLS:
            self._tools.append(text[:64])
        if not self._lanes and len(self.loose) < LOOSE:
            self.loose.append(text[: self._keep])

    def _edited(self, text: str, edits: Sequence[Edit]) -> str:
        out: list[str] = []
        at = 0
        for edit in edits:
            out += (text[at : edit.start], self._judge.render(edit, text[edit.start : edit.end]))
            at = edit.end
        out.append(text[at:])
        return "".join(out)

    def _release(self, name: str, lane: _Lane, text: str, findings: Sequence[Finding]) -> Judgement | None:
        """A piece of a lane that no rule can claim any more: judge it and hand it to the events it came from."""
        if findings or self._sizes:
            judgement = self._judge.decide(lane.role, name, text, findings)
            self.decisions.extend(judgement.decisions)
            self._keep_text(lane, masked(text, findings))
            if judgement.action is Action.BLOCK:
                return judgement
            self._hand_out_edited(lane, text, judgement.edits.get(0, ()))
        else:
            self._keep_text(lane, text)
            self._hand_out(lane, len(text))
        return self._look(name, lane, text)

    def _keep_text(self, lane: _Lane, text: str) -> None:
        room = self._keep - lane.kept_size
        if room > 0:
            lane.kept.append(text[:room])
        if len(text) > room:
            self.truncated = True
        lane.kept_size += len(text)

    def _hand_out(self, lane: _Lane, count: int) -> None:
        """`count` clean characters go to the waiting parts, in order."""
        parts = lane.parts
        while count:
            part = parts[0]
            if not part.done and part.out is None and not lane.cumulative and len(part.text) <= count:
                count -= len(part.text)  # nearly always: a whole part, as it came
                part.waiting.open -= 1
                parts.popleft()
                continue
            take = min(len(part.text) - part.done, count)
            if part.out is not None:
                part.out.append(part.text[part.done : part.done + take])
            if lane.cumulative:
                lane.total.append(part.text[part.done : part.done + take])
            part.done += take
            count -= take
            if part.done == len(part.text):
                self._complete(lane, parts.popleft())

    def _hand_out_edited(self, lane: _Lane, text: str, edits: Sequence[Edit]) -> None:
        at = 0
        for edit in edits:
            self._hand_out(lane, edit.start - at)
            self._replace(lane, edit.end - edit.start, self._judge.render(edit, text[edit.start : edit.end]))
            at = edit.end
        self._hand_out(lane, len(text) - at)

    def _replace(self, lane: _Lane, count: int, replacement: str) -> None:
        """`count` characters leave their parts; the first of these parts gets the replacement."""
        lane.changed = True
        parts = lane.parts
        while count:
            part = parts[0]
            if part.out is None:
                part.out = [part.text[: part.done]]
            if replacement:
                part.out.append(replacement)
                if lane.cumulative:
                    lane.total.append(replacement)
                replacement = ""
            take = min(len(part.text) - part.done, count)
            part.done += take
            count -= take
            if part.done == len(part.text):
                self._complete(lane, parts.popleft())

    def _complete(self, lane: _Lane, part: _Part) -> None:
        waiting = part.waiting
        waiting.open -= 1
        if lane.cumulative:
            if lane.changed:
                self._change(waiting, part.slot, "".join(lane.total))
        elif part.out is not None:
            self._change(waiting, part.slot, "".join(part.out))

    def _change(self, waiting: _Waiting, slot: int, text: str) -> None:
        if waiting.changes is None:
            waiting.changes = {}
        waiting.changes[slot] = text

    def _look(self, name: str, lane: _Lane, text: str, *, last: bool = False) -> Judgement | None:
        lane.window += text
        lane.since += len(text)
        if lane.since < WINDOW and not (last and lane.since):
            return None
        judgement = self._judge.look(Segment(lane.window, name, lane.role, Direction.RESPONSE))
        lane.window = lane.window[-OVERLAP:]
        lane.since = 0
        self.decisions.extend(judgement.decisions)
        return judgement if judgement.action is Action.BLOCK else None

    def _close_calls(self) -> Judgement | None:
        """No more of a tool call comes: judge those that are held, then let them go the way of all text."""
        held = [(name, lane, "".join(lane.held)) for name, lane in self._lanes.items() if lane.held]
        if not held:
            return None
        judgement = self._judge.calls([Segment(text, name, lane.role, Direction.RESPONSE) for name, lane, text in held])
        self.decisions.extend(judgement.decisions)
        if judgement.action is Action.BLOCK:
            return judgement
        self._held = 0
        for name, lane, text in held:
            lane.held = []
            released = lane.guard.feed(text)
            blocked = self._release(name, lane, released.text, released.findings) if released.text else None
            if blocked is not None:
                return blocked
        return None

    def _finish_lanes(self) -> Judgement | None:
        blocked = self._close_calls()
        if blocked is not None:
            return blocked
        for name, lane in self._lanes.items():
            released = lane.guard.finish()
            blocked = self._release(name, lane, released.text, released.findings) if released.text else None
            if blocked is None:
                blocked = self._look(name, lane, "", last=True)
            if blocked is not None:
                return blocked
        return None

    def _flush(self, out: list[bytes]) -> None:
        queue = self._queue
        while queue and not queue[0].open:
            waiting = queue.popleft()
            out.append(waiting.event.raw if waiting.changes is None else waiting.event.write(waiting.changes))

    def _block(self, judgement: Judgement) -> bytes:
        self.cut = True
        self._queue.clear()
        return self._tail(judgement.message)
