"""Four ordered roles: what is written in the store is what is read back."""

from __future__ import annotations

import pytest

from akto_proxy.dashboard.roles import Need, Role, role_named


def test_a_label_is_a_role_and_nothing_else_is() -> None:
    assert [role_named(role.label) for role in Role] == list(Role)
    for label in ("", "Admin", "root", "VIEWER"):
        with pytest.raises(ValueError, match="expected viewer"):
            role_named(label)


def test_reading_is_for_all_and_unmasked_text_for_no_viewer() -> None:
    assert Need.READ.met_by(Role.VIEWER)
    for need in (Need.UNMASK, Need.EXPORT, Need.TRIAGE, Need.RESPOND, Need.TRY_POLICY, Need.CHANGE_POLICY, Need.ADMIN):
        assert not need.met_by(Role.VIEWER)
    assert not Need.CHANGE_POLICY.met_by(Role.ANALYST)
    assert not Need.ADMIN.met_by(Role.EDITOR)
