"""A clock that stands still, and spools of a temporary folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from akto_proxy.spool.audit import Signer
from akto_proxy.spool.writer import Spool, SpoolOptions


class Clock:
    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@pytest.fixture
def open_spool(root: Path, clock: Clock) -> Iterator[Callable[..., Spool]]:
    made: list[Spool] = []

    def open_one(name: str = "w1", *, signed: bool = True, **options: object) -> Spool:
        signer = Signer(b"s" * 32) if signed else None
        chosen = SpoolOptions(**options)  # type: ignore[arg-type]
        made.append(Spool(root, chosen, clock=clock, name=name, signer=signer))
        return made[-1]

    yield open_one
    for spool in made:
        spool.close()
