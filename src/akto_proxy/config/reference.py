"""The settings page, made from the settings themselves, so that it cannot say anything else.

`python -m akto_proxy.config.reference > docs/settings.md` writes it; a test compares the two.
"""

from __future__ import annotations

import sys

from pydantic import SecretStr

from akto_proxy.config.settings import CONFIG_VARIABLE, Settings

_HEAD = f"""# Settings

Each setting can be given as an environment variable (upper case) or in a YAML file (lower case) named by `--config`
or `{CONFIG_VARIABLE}`. The command line wins over the environment, the environment over the file, the file over the
default. Everything is read once at start; a mistake refuses the start with a sentence that names source, key, type and
fix. Lists are comma-separated in a variable and YAML lists in the file. Secrets are never printed.

Four variables are enough: `AKTO_API_TOKEN`, `AKTO_API_BASE_URL`, `APP_URL`, `LOG_LEVEL`. With none of them the program
shows itself on a built-in demonstration endpoint.

This page is generated: `python -m akto_proxy.config.reference > docs/settings.md`.
"""


def page() -> str:
    """The whole page as Markdown."""
    parts = [_HEAD]
    for name, field in Settings.model_fields.items():
        default = field.default.get_secret_value() if isinstance(field.default, SecretStr) else field.default
        shown = "(empty)" if default in ("", (), {}) else f"`{default}`"
        kind = str(field.annotation).replace("typing.", "").removeprefix("<class '").removesuffix("'>")
        kind = kind.replace("pydantic.types.", "").replace("akto_proxy.config.settings.", "")
        parts.append(f"### `{name}`\n\n`{name.upper()}` — {field.description}\n\nType: `{kind}`. Default: {shown}.\n")
    return "\n".join(parts)


if __name__ == "__main__":
    sys.stdout.write(page())
