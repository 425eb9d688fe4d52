"""Policy text to data and back: what is written is what is read, and policies read it too."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from akto_proxy.dashboard.yamls import dumped, loaded


def test_every_pack_survives_the_way_there_and_back(workshop: Any) -> None:
    for text in workshop.packs.values():
        data = loaded(text)
        assert data == yaml.safe_load(text)
        assert loaded(dumped(data)) == data


def test_what_is_shared_is_written_twice_and_letters_stay() -> None:
    shared = {"users": ["Zoë"]}
    text = dumped({"scope": shared, "exclude": shared})
    assert "&" not in text
    assert text.count("Zoë") == 2
    assert text.index("scope") < text.index("exclude")


def test_no_text_makes_an_object() -> None:
    with pytest.raises(yaml.YAMLError):
        loaded("!!python/object/apply:os.system ['true']")
