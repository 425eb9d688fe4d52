import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from akto_proxy.guard.learned.features import MOST_PIECES, PIECE, Reader, grams, lookup, pieces

READER = Reader()


@settings(max_examples=150)
@given(st.text(st.characters(), max_size=200))
def test_tokens_lie_in_the_text_in_order_for_every_text(text):
    tokens = READER.read(text)
    assert np.all(tokens.starts < tokens.ends)
    assert np.all(tokens.ends[:-1] <= tokens.starts[1:])
    assert not len(tokens.ends) or tokens.ends[-1] <= len(text)
    assert np.all(np.diff(tokens.windows) >= 0)
    assert tokens.count == (int(tokens.windows[-1]) + 1 if len(tokens.windows) else 0)
    buckets, windows = grams(tokens, 12)
    assert len(buckets) == len(windows)
    assert np.all((buckets >= 0) & (buckets < 4096))


@pytest.mark.parametrize("pad", ["", "x ", "\u00e9 ", "\u5ffd"])
def test_a_word_hashes_the_same_wherever_it_stands(pad):
    alone = READER.read("Ignore").hashes[0]
    tokens = READER.read(pad + "ignore")
    assert tokens.hashes[-1] == alone


def test_words_marks_glyphs_and_sentences():
    text = "Don't stop. Pay 42 <b>\n\u5ffd\u7565"
    tokens = READER.read(text)
    words = [text[a:b] for a, b in zip(tokens.starts, tokens.ends, strict=True)]
    assert words == ["Don't", "stop", "Pay", "42", "<", "b", ">", "\u5ffd", "\u7565"]
    assert tokens.windows.tolist() == [0, 0, 1, 1, 1, 1, 1, 2, 2]


def test_all_numbers_are_one_word_by_length():
    assert READER.read("2024").hashes[0] == READER.read("1999").hashes[0]


def test_only_a_piece_is_read():
    assert READER.read("a " * PIECE).ends[-1] <= PIECE


def test_unknown_words_have_row_zero():
    hashes = READER.read("alpha beta").hashes
    slots, checks = np.zeros(1 << 10, np.uint16), np.zeros(1 << 10, np.uint16)
    place = int(hashes[0]) >> 54
    slots[place], checks[place] = 7, int(hashes[0]) & 0xFFFF
    assert lookup(hashes, slots, checks).tolist()[0] == 7


@pytest.mark.parametrize("size", [0, 10, PIECE, PIECE + 1, 3 * PIECE])
def test_pieces_cover_the_text_and_overlap(size):
    text = "".join(chr(97 + k % 26) for k in range(size))
    cut = list(pieces(text, 100))
    assert all(text[at : at + PIECE] == piece for at, piece in cut)
    assert {k for at, piece in cut for k in range(at, at + len(piece))} == set(range(size))


def test_of_a_huge_text_the_ends_are_read():
    cut = list(pieces("x" * 10_000_000, 256))
    assert len(cut) == MOST_PIECES
    assert cut[-1][0] + len(cut[-1][1]) == 10_000_000
