from __future__ import annotations

from akto_proxy.guard.absent import AbsentDetector
from akto_proxy.guard.engine import Engine
from akto_proxy.guard.scanner import Scanner
from akto_proxy.model import Segment


def test_a_detector_that_is_not_there_is_a_failed_check_and_never_a_clean_text():
    scanner = Scanner(Engine([]), [AbsentDetector("ghost", "harm", frozenset({"ghost-1"}))])
    ((found,),) = scanner.scan([Segment("hello", "/x")], frozenset({"ghost-1"}))
    assert (found.rule, found.entity, found.category) == ("ghost", "CHECK_FAILED", "harm")
    assert scanner.scan([Segment("hello", "/x")], frozenset({"other"})) == [[]]
