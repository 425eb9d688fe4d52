from __future__ import annotations

import re

import pytest

from akto_proxy.proxy.metric_table import METRICS, TOKENS, Metric


@pytest.mark.parametrize("metric", METRICS.values(), ids=lambda metric: metric.name)
def test_a_metric_is_named_and_shaped_as_prometheus_wants_it(metric: Metric):
    assert re.fullmatch(r"(akto_proxy|gen_ai)_[a-z_]+", metric.name)
    assert metric.name.endswith("_total") == (metric.kind == "counter")
    assert metric.kind in ("counter", "gauge", "histogram")
    assert bool(metric.bounds) == (metric.kind == "histogram")
    assert list(metric.bounds) == sorted(set(metric.bounds))
    assert len(set(metric.labels)) == len(metric.labels)


def test_bounds_are_those_of_the_conventions():
    assert TOKENS == (1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864)
