import pytest

from akto_proxy.config import assets
from akto_proxy.guard.learned.features import Reader
from akto_proxy.guard.learned.weights import Weights
from akto_proxy.model import Direction, Role, Segment


@pytest.fixture(scope="session")
def reader():
    return Reader()


@pytest.fixture(scope="session")
def letters():
    return Weights.load(assets.read_bytes("guard/weights/letters.bin"))


@pytest.fixture
def answer():
    return lambda text: Segment(text, "/choices/0/message/content", Role.ASSISTANT, Direction.RESPONSE)
