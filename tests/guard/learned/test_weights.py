import numpy as np
import pytest

from akto_proxy.guard.learned.weights import Weights


def test_what_was_dumped_is_read_in_place():
    arrays = {"a": np.arange(300, dtype=np.int8).reshape(3, 100), "b": np.array([1.5], np.float32)}
    data = memoryview(Weights(arrays, {"bits": 3}).dump())
    loaded = Weights.load(data)
    assert loaded.meta == {"bits": 3}
    assert all(np.array_equal(loaded.arrays[name], array) for name, array in arrays.items())
    assert np.shares_memory(loaded.arrays["a"], np.frombuffer(data, np.uint8))


@pytest.mark.parametrize("data", [b"", b"nope" * 10])
def test_other_bytes_are_refused(data):
    with pytest.raises(ValueError):
        Weights.load(data)
