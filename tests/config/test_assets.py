import pytest

from akto_proxy.config import assets
from akto_proxy.errors import ConfigError


def test_a_missing_package_file_says_so():
    with pytest.raises(ConfigError, match=r"nothing\.toml is missing"):
        assets.read_text("guard/rules/nothing.toml")


def test_names_are_readable():
    for name in assets.names("policy/packs", ".yaml"):
        assert assets.read_text(name)


def test_a_mapped_file_is_the_file():
    name = "guard/weights/letters.bin"
    assert bytes(assets.mapped(name)) == assets.read_bytes(name)
    with pytest.raises(ConfigError, match=r"nothing\.bin is missing"):
        assets.mapped("guard/weights/nothing.bin")
