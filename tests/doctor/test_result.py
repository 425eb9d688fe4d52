from __future__ import annotations

from akto_proxy.doctor.result import Report, Trouble, fail, ok, skip, warn


def test_exit_codes():
    assert Report((ok("a", ""), warn("b", "", ""), skip("c", ""))).exit_code == 0
    assert Report((ok("a", ""), fail("b", "", "", Trouble.REACH))).exit_code == 1
    assert Report((fail("b", "", "", Trouble.REACH), fail("a", "", "", Trouble.CONFIGURATION))).exit_code == 2


def test_troubles_are_named_once_each_in_order():
    results = (
        fail("dns", "", "", Trouble.REACH),
        warn("policy", "", "", Trouble.GUARD),
        fail("store", "", "", Trouble.LOGS),
        fail("tcp", "", "", Trouble.REACH),
    )
    report = Report(results)
    assert report.troubles == ((Trouble.REACH, ("dns", "tcp")), (Trouble.LOGS, ("store",)))
    plain = report.as_dict()
    assert plain["troubles"][0] == {"trouble": "endpoint not reached", "checks": ["dns", "tcp"]}
    assert [item["name"] for item in plain["checks"]] == ["dns", "policy", "store", "tcp"]
