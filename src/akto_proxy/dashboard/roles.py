"""Who may do what: four ordered roles and one table of needs.

A need is a named act with the lowest role that may do it. Each route names exactly one need, and the app refuses to
start with a route that names none, so a forgotten check is a crash at start and not an open door.
"""

from __future__ import annotations

from enum import Enum, IntEnum


class Role(IntEnum):
    """Ordered: each role may do all that the ones before it may."""

    VIEWER = 1
    ANALYST = 2
    EDITOR = 3
    ADMIN = 4

    @property
    def label(self) -> str:
        """The lower-case name used in the store, the API and pages."""
        return self.name.lower()


def role_named(label: str) -> Role:
    """The role of a label as stored.

    Raises:
        ValueError: there is no such role.
    """
    for role in Role:
        if role.label == label:
            return role
    raise ValueError(f"role {label!r}: expected viewer, analyst, editor or admin")


class Need(Enum):
    """A named act and the lowest role that may do it."""

    READ = ("read", Role.VIEWER)
    ACCOUNT = ("account", Role.VIEWER)
    UNMASK = ("unmask", Role.ANALYST)
    EXPORT = ("export", Role.ANALYST)
    TRIAGE = ("triage", Role.ANALYST)
    RESPOND = ("respond", Role.ANALYST)
    TRY_POLICY = ("try-policy", Role.ANALYST)
    CHANGE_POLICY = ("change-policy", Role.EDITOR)
    ADMIN = ("admin", Role.ADMIN)

    def __init__(self, word: str, role: Role) -> None:
        self.word = word
        self.role = role

    def met_by(self, role: Role) -> bool:
        """Whether someone of `role` may."""
        return role >= self.role
