"""A replay is shown as it was at one moment, and one that fails says so."""

from __future__ import annotations

import time
from typing import Any

from akto_proxy.dashboard.replays import Job, Replays
from akto_proxy.policy.replay import Report
from akto_proxy.store.face import Filter

DRAFT = "version: 1\npolicies: [{name: mine, action: block, rules: [{detect: EMAIL_ADDRESS}]}]"


def test_a_job_that_ends_while_a_page_is_made_does_not_change_on_it() -> None:
    job = Job("a", "ada", 0.0, "", 4)
    seen = job.seen()
    job.report, job.state = Report(), "done"
    assert (seen.state, seen.report, seen.share) == ("running", None, 0.0)
    assert (job.seen().state, job.seen().report) == ("done", job.report)
    seen.stop.set()
    assert job.stop.is_set()


def test_a_store_that_fails_ends_the_job(workshop: Any) -> None:
    class Broken:
        def count(self, where: Filter) -> int:
            return 3

        def export(self, where: Filter) -> Any:
            raise OSError("the disk is gone")

    replays = Replays(Broken(), workshop, lambda n: b"x" * n)  # type: ignore[arg-type]
    draft = workshop.draft(DRAFT)
    job = replays.start(draft, draft, Filter(), by="ada", at=0.0)
    until = time.monotonic() + 30
    while job.state == "running" and time.monotonic() < until:
        time.sleep(0.01)
    assert (job.state, job.problem) == ("failed", "OSError after 0 traces")
