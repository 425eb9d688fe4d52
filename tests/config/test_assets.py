import pytest

from akto_proxy.config import assets
from akto_proxy.errors import ConfigError


def test_a_missing_package_file_says_so():
    with pytest.raises(ConfigError, match=r"nothing\.toml is missing"):
        assets.read_text("guard/rules/nothing.toml")


def test_names_are_readable():
    for name in assets.names("policy/packs", ".yaml"):
        assert assets.read_text(name)
