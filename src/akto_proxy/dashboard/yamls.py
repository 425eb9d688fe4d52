"""Policy data written as YAML the way policy files are read: no anchors, keys in their order, letters as they are."""

from __future__ import annotations

from typing import Any

import yaml


class _Plain(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        """Write what is shared twice: policy files may not have anchors."""
        return True


def dumped(data: Any) -> str:
    """`data` as YAML."""
    return yaml.dump(data, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=110)
