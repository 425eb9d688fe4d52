"""A town of real servers for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from doctor.town import Town


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    folder = tmp_path / "certificates"
    folder.mkdir()
    town = Town(folder)
    yield town
    for stop in town.stops:
        stop()
