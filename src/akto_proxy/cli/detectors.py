"""Which detectors stand beside the rules: built when a policy asks for one, from the weights that ship.

One table says what there is, so what a policy may name (`policy.catalogue`) can be compared with it. Detectors of one
kind share one reader and one model. Trade-off: a detector that no policy names costs nothing, and sees nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from akto_proxy.config import assets
from akto_proxy.guard.learned.attack import PromptAttackDetector
from akto_proxy.guard.learned.conversation import ConversationDetector, SeenCache
from akto_proxy.guard.learned.features import Reader
from akto_proxy.guard.learned.harm import HarmDetector
from akto_proxy.guard.learned.tagger import NameTagger
from akto_proxy.guard.learned.text import TextModel
from akto_proxy.guard.learned.weights import Weights
from akto_proxy.guard.output.code import CodeDetector
from akto_proxy.guard.output.form import GibberishDetector, InvisibleTextDetector, RepetitionDetector
from akto_proxy.guard.output.language import LanguageDetector
from akto_proxy.guard.output.leak import SystemPromptLeakDetector
from akto_proxy.guard.output.links import ExfiltrationDetector, UrlDetector
from akto_proxy.guard.output.manner import RefusalDetector, SentimentDetector
from akto_proxy.guard.scanner import Detector

WEIGHTS = "guard/weights"


class _Parts:
    """What detectors are made of, made once and only when needed."""

    @cached_property
    def reader(self) -> Reader:
        return Reader()

    @cached_property
    def model(self) -> TextModel:
        closer = assets.mapped(f"{WEIGHTS}/closer.bin")
        return TextModel.load(assets.mapped(f"{WEIGHTS}/text.bin"), self.reader, closer)

    @cached_property
    def names(self) -> NameTagger:
        return NameTagger.load(assets.mapped(f"{WEIGHTS}/names.bin"), self.reader)

    @cached_property
    def letters(self) -> Weights:
        return Weights.load(assets.mapped(f"{WEIGHTS}/letters.bin"))


_MAKERS: dict[str, Callable[[_Parts], Detector]] = {
    "prompt-attack": lambda parts: ConversationDetector(PromptAttackDetector(parts.model), SeenCache()),
    "harm": lambda parts: HarmDetector(parts.model),
    "names": lambda parts: parts.names,
    "code": lambda parts: CodeDetector(),
    "gibberish": lambda parts: GibberishDetector(parts.letters),
    "invisible": lambda parts: InvisibleTextDetector(),
    "language": lambda parts: LanguageDetector(),
    "markdown-exfiltration": lambda parts: ExfiltrationDetector(),
    "misleading-url": lambda parts: UrlDetector(),
    "refusal": lambda parts: RefusalDetector(),
    "repetition": lambda parts: RepetitionDetector(parts.reader),
    "sentiment": lambda parts: SentimentDetector(),
    "system-prompt-leak": lambda parts: SystemPromptLeakDetector(parts.reader),
}
"""Detector name -> how it is made."""

NAMES = tuple(_MAKERS)
"""Every detector that ships."""


def detectors(names: frozenset[str]) -> list[Detector]:
    """The detectors among `names`, in the order of NAMES; other names are somebody else's."""
    parts = _Parts()
    return [make(parts) for name, make in _MAKERS.items() if name in names]
