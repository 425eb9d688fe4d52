"""Saving a policy text as a version: checked, compared with the one in force, held where two people are asked for."""

from __future__ import annotations

from starlette.requests import Request

from akto_proxy.dashboard.house import house, in_force
from akto_proxy.dashboard.web import BadInputError, me
from akto_proxy.errors import PolicyError
from akto_proxy.policy.diff import Change, diff
from akto_proxy.store.control import Version


def save(request: Request, text: str, comment: str) -> Version:
    """A new version of the policy text. It is only proposed where it weakens a policy and two people must agree.

    Raises:
        BadInputError: the text cannot be used.
    """
    parts = house(request)
    changes = compared(request, text)
    weaker = any(change.weaker for change in changes)
    proposed = weaker and parts.options.two_people
    version = parts.control.add_version(
        text, author=me(request).name, at=parts.clock(), comment=comment[:500], proposed=proposed
    )
    detail = (
        f"{len(changes)} {'change' if len(changes) == 1 else 'changes'}"
        + (", weaker" if weaker else "")
        + (", proposed" if proposed else "")
    )
    parts.note(request, "policy.save", f"version {version.number}", detail)
    return version


def compared(request: Request, text: str) -> list[Change]:
    """What a text would change against the version in force.

    Raises:
        BadInputError: the text cannot be used.
    """
    parts = house(request)
    try:
        return diff(in_force(parts).policies, parts.workshop.draft(text).policies)
    except PolicyError as error:
        raise BadInputError(str(error)) from None
