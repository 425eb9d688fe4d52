import pytest

from akto_proxy.cli.main import run_command


@pytest.mark.parametrize(
    ("arguments", "code"), [(["version"], 0), (["--help"], 0), (["scan", "/nowhere/x"], 2), (["nonsense"], 2)]
)
def test_exit_codes_are_those_that_are_documented(arguments: list[str], code: int, capsys: pytest.CaptureFixture[str]):
    assert run_command(arguments) == code
    assert "Traceback" not in "".join(capsys.readouterr())


def test_a_mistake_is_one_sentence_with_the_fix(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AKTO_PROXY_PORT", "many")
    assert run_command(["scan", "-"]) == 2
    said = capsys.readouterr().err
    assert "AKTO_PROXY_PORT" in said
    assert "docs/settings.md" in said


@pytest.mark.parametrize(
    "command",
    ["up", "proxy", "server", "scan", "traces", "policy", "spool", "audit", "doctor", "export", "delete", "watch"],
)
def test_every_command_teaches(command: str, capsys: pytest.CaptureFixture[str]):
    assert run_command([command, "--help"]) == 0
    assert len(capsys.readouterr().out) > 200
