"""Checkers outside, asked where no exchange is: for cases and replays, and only when the operator says so.

What is asked leaves this machine: a case's own text, or the masked text of a kept call. So nothing asks unless it is
told to, and whoever did not ask is told how many calls may hang on it. Questions that come together are asked together.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence

from akto_proxy.policy.checks import Hit
from akto_proxy.policy.outside import Question
from akto_proxy.proxy.external import ExternalChecks


class Asking:
    """Asks the external checks of policies, each with its own time-out, cache and address rules.

    A question nobody could answer is a check that failed, so fail modes decide, as in traffic.
    """

    def __init__(self) -> None:
        self._runner = asyncio.Runner()  # one loop for all questions: connections and the cache live in it
        self._checks = ExternalChecks(os.environ, time.monotonic)

    def __call__(self, questions: Sequence[Question]) -> list[list[Hit]]:
        """The findings for each question."""
        return self._runner.run(self._all(questions))

    async def _all(self, questions: Sequence[Question]) -> list[list[Hit]]:
        asked = (self._checks.check(item.checks, item.segments, item.direction) for item in questions)
        return list(await asyncio.gather(*asked))

    def close(self) -> None:
        """Give the loop back."""
        self._runner.close()
