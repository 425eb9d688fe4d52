"""A light noun is a frozen dataclass in everything but the time it takes to make one."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError, asdict, dataclass, field, replace

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from akto_proxy.light import light


@dataclass(frozen=True, slots=True, order=True)
class Usual:
    """Made by `dataclasses` alone."""

    name: str
    size: int = 3
    parts: tuple[int, ...] = field(default_factory=tuple)


@light
@dataclass(frozen=True, slots=True, order=True)
class Light:
    """The same, made light."""

    name: str
    size: int = 3
    parts: tuple[int, ...] = field(default_factory=tuple)


sizes = st.integers(-(2**53), 2**53)  # what JSON holds
values = st.fixed_dictionaries({"name": st.text()}, optional={"size": sizes, "parts": st.lists(sizes).map(tuple)})


@given(values)
def test_it_holds_and_says_what_a_usual_one_does(given_values: dict[str, object]) -> None:
    usual, mine = Usual(**given_values), Light(**given_values)  # type: ignore[arg-type]
    assert asdict(mine) == asdict(usual)
    assert repr(mine) == repr(usual).replace("Usual", "Light", 1)
    assert hash(mine) == hash(Light(**given_values))  # type: ignore[arg-type]
    assert orjson.dumps(mine, default=str) == orjson.dumps(usual, default=str)


@given(values, values)
def test_it_compares_as_a_usual_one_does(one: dict[str, object], other: dict[str, object]) -> None:
    assert (Light(**one) < Light(**other)) == (Usual(**one) < Usual(**other))  # type: ignore[arg-type]
    assert (Light(**one) == Light(**other)) == (Usual(**one) == Usual(**other))  # type: ignore[arg-type]


def test_it_cannot_be_changed() -> None:
    mine = Light("a")
    with pytest.raises(FrozenInstanceError):
        mine.size = 4  # type: ignore[misc]
    with pytest.raises((FrozenInstanceError, TypeError)):
        mine.__class__ = Usual  # type: ignore[assignment]
    assert type(mine) is Light


def test_it_is_copied_pickled_and_replaced() -> None:
    mine = Light("a", parts=(1, 2))
    assert replace(mine, size=9) == Light("a", 9, (1, 2))
    assert copy.copy(mine) == pickle.loads(pickle.dumps(mine)) == mine


@pytest.mark.parametrize("arguments", [(), ("a", 1, (), 4)])
def test_it_takes_no_more_and_no_fewer_arguments(arguments: tuple[object, ...]) -> None:
    with pytest.raises(TypeError):
        Light(*arguments)  # type: ignore[arg-type]


def test_what_cannot_be_light_is_refused() -> None:
    @dataclass(frozen=True)
    class Open:
        name: str

    with pytest.raises(TypeError, match="Open"):
        light(Open)
