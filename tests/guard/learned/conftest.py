import pytest

from akto_proxy.config import assets
from akto_proxy.guard.learned.text import TextModel


@pytest.fixture(scope="session")
def model():
    closer = assets.read_bytes("guard/weights/closer.bin")
    return TextModel.load(assets.read_bytes("guard/weights/text.bin"), closer=closer)
