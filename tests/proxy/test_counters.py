"""Counting never grows without bound."""

from akto_proxy.proxy.counters import MAX_LABELS, Counters, count


def test_tables_stop_growing():
    table: dict[str, int] = {}
    for i in range(1000):
        count(table, str(i))
    assert len(table) == MAX_LABELS + 1
    assert table["other"] == 1000 - MAX_LABELS
    count(table, "0")
    assert table["0"] == 2


def test_a_copy_as_plain_data():
    counters = Counters()
    count(counters.refusals, "x")
    copy = counters.as_dict()
    count(counters.refusals, "x")
    assert copy["refusals"] == {"x": 1}
    assert copy["requests"] == 0
