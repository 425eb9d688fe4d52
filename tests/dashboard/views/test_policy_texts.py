"""The editor's live check, and versions with their differences."""

from __future__ import annotations

from typing import Any

from akto_proxy.dashboard.views.policy_texts import text_diff

BAD_CASE = """
version: 1
policies:
  - {name: mine, action: block, rules: [{detect: EMAIL_ADDRESS}]}
cases:
  - {text: "write to ada@example.org", expect: allow}
"""


def test_the_check_says_what_is_wrong_or_what_would_change(sign_in: Any, workshop: Any) -> None:
    analyst = sign_in("analyst")

    def check(text: str) -> str:
        return analyst.post("/policies/check", data={"text": text}).text

    assert "No change against the version in force" in check(workshop.default)
    weaker = check(workshop.default.replace("action: redact", "action: alert", 1))
    assert "weaker" in weaker
    assert "rulez" in check("version: 1\npolicies: [{name: x, rulez: []}]")
    assert "note bad" in check(BAD_CASE)
    assert sign_in("viewer").post("/policies/check", data={"text": ""}).status_code == 403


def test_a_version_is_compared_with_the_one_before_and_the_one_in_force(sign_in: Any, workshop: Any) -> None:
    editor = sign_in("editor")
    texts = [workshop.default.replace("severity: low", f"severity: {level}") for level in ("low", "medium", "high")]
    for text in texts:
        editor.post("/policies/edit", data={"text": text.replace("\n", "\r\n")})
    before = editor.get("/policies/history/2").text
    assert "-    severity: low" in before
    assert "+    severity: medium" in before
    against = editor.get("/policies/history/2?against=active").text
    assert "-    severity: high" in against
    assert "severity: medium" in editor.get("/policies/edit?version=2").text
    for path in ("/policies/history/99", "/policies/history/0", f"/policies/history/{1 << 70}"):
        assert editor.get(path).status_code in (404, 422)


def test_a_difference_is_of_lines_and_bounded() -> None:
    assert text_diff("a\nb", "a\nc")[-2:] == [("del", "-b"), ("add", "+c")]
    assert text_diff("a", "a") == []
    assert len(text_diff("", "\n".join(map(str, range(9000))))) == 2000
