from pathlib import Path

from akto_proxy.config.reference import page


def test_the_settings_page_says_what_the_settings_are():
    """Regenerate with `python -m akto_proxy.config.reference > docs/settings.md`."""
    assert (Path(__file__).parents[2] / "docs" / "settings.md").read_text("utf-8") == page()
