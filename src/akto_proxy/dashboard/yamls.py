"""Policy text to data and back: written without anchors, keys in their order, letters as they are."""

from __future__ import annotations

from typing import Any

import yaml

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Plain(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        """Write what is shared twice: policy files may not have anchors."""
        return True


def loaded(text: str) -> Any:
    """The data of a policy text that `policy` has accepted before (so it has no anchors, and few enough lines)."""
    return yaml.load(text, Loader=_LOADER)  # noqa: S506 - the C form of the safe loader, or the safe loader


def dumped(data: Any) -> str:
    """`data` as YAML."""
    return yaml.dump(data, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=110)
