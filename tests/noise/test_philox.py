import numpy as np
import pytest

from genewright.noise.key import Stream
from genewright.noise.philox import philox
from genewright.noise.words import Purpose, counter_words, words

# The three known answers of Random123 for philox4x32, 10 rounds: counter, key, output.
KNOWN = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]


@pytest.mark.parametrize(("counter", "key", "output"), KNOWN)
def test_known_answers(counter, key, output):
    counter, key, output = ([int(word, 16) for word in text.split()] for text in (counter, key, output))
    made = philox(tuple(np.array([word], np.uint64) for word in counter), tuple(key))
    assert [int(word[0]) for word in made] == output


def scalar_philox(counter, key):
    """The paper's definition, one word at a time in Python integers."""
    x0, x1, x2, x3 = counter
    k0, k1 = key
    for _ in range(10):
        p0, p1 = x0 * 0xD2511F53, x2 * 0xCD9E8D57
        x0, x1, x2, x3 = (
            (p1 >> 32) ^ x1 ^ k0,
            p1 & 0xFFFFFFFF,
            (p0 >> 32) ^ x3 ^ k1,
            p0 & 0xFFFFFFFF,
        )
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return x0, x1, x2, x3


@pytest.mark.parametrize("index", [0, 31, 32, 127, 128, 2**32 - 1, 2**32, 2**39, 2**40 - 1, 2**45 + 77])
@pytest.mark.parametrize("purpose", [Purpose.NOISE, Purpose.ROUND])
def test_the_layout_of_words_is_the_documented_one(index, purpose):
    stream = Stream(key=0x0123456789ABCDEF, tweak=0xFEDCBA98765432)
    counter = (index >> 7) * 32 + (index & 31)
    expected = scalar_philox(
        (counter & 0xFFFFFFFF, counter >> 32, 0x98765432, 0xFEDCBA | purpose << 24),
        (0x89ABCDEF, 0x01234567),
    )
    assert int(words(stream, purpose, np.array([index]))[0]) == expected[(index >> 5) & 3]
    assert [int(word[0]) for word in counter_words(stream, purpose, np.array([counter], np.uint64))] == list(expected)
