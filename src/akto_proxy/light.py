"""Frozen dataclasses that are made in the time of plain ones: for the nouns that every call makes a dozen of.

A frozen dataclass sets each of its fields through `object.__setattr__`, a call each. `light` gives the class another
`__init__`: the object is of an open twin (the same slots, no lock) while its fields are set, then it is frozen.
Trade-off: generated code, as `dataclasses` itself does it. For five fields it takes half of the time.
"""

from __future__ import annotations

from dataclasses import MISSING, Field, fields
from typing import Any, TypeVar

Noun = TypeVar("Noun")


def light(cls: type[Noun]) -> type[Noun]:
    """Put above `@dataclass(frozen=True, slots=True)`: equality, hash, repr, `replace` and the lock stay as they are.

    Raises:
        TypeError: the class has a `__post_init__`, is not slotted, or a field is keyword-only or not set by `__init__`.
    """
    known: tuple[Field[Any], ...] = fields(cls)  # type: ignore[arg-type]
    usual = all(one.init and not one.kw_only for one in known)
    if hasattr(cls, "__post_init__") or "__slots__" not in cls.__dict__ or not usual:
        raise TypeError(f"{cls.__name__} cannot be light")
    names = [one.name for one in known]
    scope: dict[str, Any] = {"_open": type(cls.__name__, (), {"__slots__": tuple(names)}), "_frozen": cls}
    scope |= {"_set": object.__setattr__, "_missing": MISSING}
    taken, body = [], ["_set(self, '__class__', _open)"]
    for one in known:
        name = one.name
        if one.default is not MISSING:
            scope[f"_default_{name}"] = one.default
            taken.append(f"{name}=_default_{name}")
        elif one.default_factory is not MISSING:
            scope[f"_make_{name}"] = one.default_factory
            taken.append(f"{name}=_missing")
        else:
            taken.append(name)
        made = f"_make_{name}() if {name} is _missing else {name}" if one.default_factory is not MISSING else name
        body.append(f"self.{name} = {made}")
    body.append("self.__class__ = _frozen")
    exec(f"def __init__(self, {', '.join(taken)}):\n " + "\n ".join(body), scope)  # noqa: S102  our own field names
    made_init = scope["__init__"]
    made_init.__qualname__ = f"{cls.__qualname__}.__init__"
    made_init.__doc__ = cls.__init__.__doc__
    made_init.__annotations__ = cls.__init__.__annotations__
    cls.__init__ = made_init  # type: ignore[method-assign]
    return cls
