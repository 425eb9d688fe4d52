from __future__ import annotations

from collections.abc import Sequence
from xml.dom import minidom

from akto_proxy.guard.engine import Engine
from akto_proxy.model import Finding, Segment
from akto_proxy.policy.cases import junit, run_cases
from akto_proxy.policy.compile import PolicySet
from akto_proxy.policy.schema import parse_file

FILE = r"""
version: 1
policies:
  - name: badges
    action: redact
    rules:
      - {regex: 'badge \d{4}', match: [badge 1234], no_match: [badge]}
cases:
  - {name: found, input: my badge 1234 and badge 5678, expect: redact, spans: [badge 1234, [18, 28]], policy: badges}
  - {name: clean, input: my badge, expect: allow, spans: []}
  - {name: wrong action, input: badge 1234, expect: block}
  - {name: wrong <span>, input: badge 1234, expect: redact, spans: [badge]}
  - {name: not there, input: badge 1234, expect: redact, spans: [other], policy: nobody}
"""


def test_cases_run_like_traffic_and_say_what_differs():
    file = parse_file(FILE, "f.yaml")
    policies = PolicySet(file.policies, {})
    engine = Engine(policies.custom_rules)

    def scan(segments: Sequence[Segment], enabled: frozenset[str]) -> list[list[Finding]]:
        return [engine.scan(segment.text, enabled) for segment in segments]

    results = run_cases(file, policies, scan)
    assert [len(result.problems) for result in results] == [0, 0, 1, 1, 3]
    assert results[2].problems == ("expected block, got redact (badges/custom:badges:0)",)
    assert results[3].problems == ("expected spans [(0, 5)], got [(0, 10)]",)

    report = minidom.parseString(junit([("f.yaml", result) for result in results]))
    suite = report.documentElement
    assert suite is not None
    assert (suite.getAttribute("tests"), suite.getAttribute("failures")) == ("5", "3")
