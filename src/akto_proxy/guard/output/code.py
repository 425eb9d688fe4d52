"""Program code and shell commands in a text, for policies that do not want them.

A fence that names a language is code; without one, lines that end, open and indent as programs do. Trade-off: JSON and
tables in fences are not called code, and a single expression in a sentence is not either.
"""

from __future__ import annotations

from collections.abc import Sequence

import re2

from akto_proxy.guard.output.base import spoken
from akto_proxy.model import Finding, Segment

_FENCE = re2.compile(
    r"(?m)^[ \t]{0,3}(?:```|~~~)[ \t]*([A-Za-z0-9_+#.-]{0,20})[^\n]{0,200}\n((?s:.*?))(?:^[ "
    r"\t]{0,3}(?:```|~~~)|\z)"
)
_LINE = re2.compile(
    r"(?m)^[ \t]*(?:def \w+\(|class \w+[(:{ ]|import \w|from [\w.]+ import |#include\s*[<\"]|using namespace |"
    r"public (?:static|class|void) |private \w+ |"
    r"(?:const|let|var) \w+ *=|function\*? *\w*\(|async def |func \w+\(|fn \w+\(|package \w+;?$|SELECT "
    r".{1,200} FROM |INSERT INTO |CREATE TABLE |"
    r"if *\(.{1,200}\) *\{|for *\(.{1,200}\) *\{|while *\(.{1,200}\) *\{|return\b.{0,200};$|\} *else *\{|elif "
    r".{1,200}:$|try:$|except.{0,80}:$|<\?php|<script\b|console\.log\(|print\(|System\.out\.|"
    r"\w+(?:\.\w+)*\(.{0,200}\);$|\w+ *[+*/-]?= *.{1,200};$)"
)
_SHELL = re2.compile(
    r"(?m)(?:^[ \t]*(?:[$#>] |sudo )?|`|\$\(|&& *|; *)((?:sudo +)?(?:rm +-[a-z]*[rf][a-z]* |curl "
    r"+(?:-[A-Za-z]+ +)*['\"]?https?://|wget +(?:-\S+ +)*['\"]?https?://|chmod +[0-7+ugoarwx=]{2,9} |chown "
    r"+\S+ |nc +-\S+ |bash +-[ci] |"
    r"sh +-c |powershell(?:\.exe)? +-|Invoke-(?:WebRequest|Expression)\b|iex *\(|eval *\$\(|dd +if=|"
    r"mkfs(?:\.\w+)? |kill +-9 |crontab +-|ssh +\S+@|scp +\S+ |docker +(?:run|exec|build|compose) |kubectl "
    r"+\w+ |pip3? +install |npm +(?:install|i|run) |"
    r"apt(?:-get)? +(?:install|update|remove)|git +(?:clone|push|reset|checkout|commit) |systemctl +\w+ |"
    r"export +\w+=|cat +/etc/|tar +-?[xczvf]{2,5} |base64 +(?:-d|--decode)|python3? +-c )[^\n`]{0,300})"
)
_PIPED = re2.compile(
    r"(?:curl|wget)\s[^\n|]{1,500}\|\s*(?:sudo\s+)?(?:ba|z|k)?sh\b|"
    r"rm\s+-[a-z]*r[a-z]*f?[a-z]*\s+(?:--no-preserve-root\s+)?/(?:\s|\*|$)"
)
_NO_CODE = frozenset(("", "text", "txt", "json", "markdown", "md", "csv", "output", "plaintext", "none", "tsv", "log"))
_SHELLS = frozenset(("bash", "sh", "shell", "zsh", "console", "powershell", "ps1", "cmd", "bat", "terminal"))


class CodeDetector:
    """Reports `code` and `shell-command`."""

    name = "code"
    category = "code"
    rules = frozenset(("code", "shell-command"))
    reads_views = False

    def check(self, segments: Sequence[Segment]) -> list[tuple[int, Finding]]:
        """Findings, each with the number of its segment."""
        return [(number, finding) for number, text in spoken(segments) for finding in self.see(text)]

    def see(self, text: str) -> list[Finding]:
        """Code blocks, else lines of code; then shell commands."""
        fences = list(_FENCE.finditer(text)) if "```" in text or "~~~" in text else []
        out = [finding for match in fences if (finding := _fence(match)) is not None]
        if not out:
            out = _lines(text)
        piped = {m.start() for m in _PIPED.finditer(text)}
        for match in _SHELL.finditer(text):
            start, end = match.span(1)
            hot = any(start <= at < end for at in piped)
            out.append(Finding(start, end, "shell-command", "CODE", "code", 0.95 if hot else 0.7))
        return out


def _fence(match: re2._Match) -> Finding | None:
    language, body = match.group(1).lower(), match.group(2)
    if language in _SHELLS:
        return Finding(match.start(2), match.end(2), "shell-command", "CODE", "code", 0.9)
    if language in _NO_CODE and (language or len(_LINE.findall(body)) < 2):
        return None
    return Finding(match.start(2), match.end(2), "code", "CODE", "code", 0.95 if language else 0.8)


def _lines(text: str) -> list[Finding]:
    """Lines that look like code, if there are at least three and they are a fifth of all."""
    if "\n" not in text:
        return []
    spots = [match.span() for match in _LINE.finditer(text)]
    if len(spots) < 3 or len(spots) * 5 < text.count("\n"):
        return []
    return [Finding(spots[0][0], spots[-1][1], "code", "CODE", "code", min(0.9, 0.5 + 0.05 * len(spots)))]
