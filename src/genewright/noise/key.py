"""Streams: what a seed, a tensor's name and a path become before a single number is drawn.

A stream is a point in a space of 120 bits. 64 of them are the Philox key and 56 go into the counter words
that no index uses: with the key alone, 2**30 (individual, tensor) pairs would share a key with a
probability of 3 %.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from numbers import Integral
from typing import Final

import numpy as np
from numpy.typing import NDArray

from genewright.errors import SeedError, SettingError

SPEC: Final = "gw1"


@dataclass(frozen=True, slots=True)
class Stream:
    """One independent source of words: all that a draw depends on, besides its purpose and its index.

    Args:
        key: The 64 bit key of Philox.
        tweak: 56 more bits, which fill the counter words above the index.

    Raises:
        SettingError: If a value does not fit its width.
    """

    key: int
    tweak: int

    def __post_init__(self) -> None:
        if 0 <= self.key < 1 << 64 and 0 <= self.tweak < 1 << 56:
            return
        for name, value, width in (("key", self.key, 64), ("tweak", self.tweak, 56)):
            if not 0 <= value < 1 << width:
                raise SettingError(f"Stream's {name} must fit {width} bits, got {value}: make streams by derive()")


def derive(seed: int | str | bytes, *, name: str, path: str, salt: str = "") -> Stream:
    """Derive the stream of one tensor (or of one decision) from a seed.

    BLAKE2b with a 15 byte digest over (spec, salt, name, path, seed), each field as a tag byte, its length
    in eight little-endian bytes, and its bytes: no two different tuples share an encoding. An integer is
    its hexadecimal text, so any size and sign is welcome; `1`, `"1"` and `b"1"` are three different seeds.

    Args:
        seed: Any integer, text or bytes.
        name: The tensor's name (tied tensors: their first name).
        path: Where in a composed mutation the operator stands, for example "0/2".
        salt: Sets one operator's noise apart from another's.

    Returns:
        The stream.

    Raises:
        SeedError: If the seed is a bool, a float or any other type.

    Example:
        >>> derive(246, name="fc.weight", path="0") == derive(246, name="fc.weight", path="0")
        True
        >>> derive(246, name="fc.weight", path="0") == derive("246", name="fc.weight", path="0")
        False

    References:
        M.-J. Saarinen, J.-P. Aumasson, The BLAKE2 Cryptographic Hash, RFC 7693.
    """
    return _derived(*_around(seed, path, salt), name)


def deriving(seed: int | str | bytes, *, path: str, salt: str = "") -> Callable[[str], Stream]:
    """Return `derive` as a function of the name alone: all else is the same for every tensor of a mutation.

    Raises:
        SeedError: If the seed is a bool, a float or any other type.
    """
    return partial(_derived, *_around(seed, path, salt))


def _around(seed: int | str | bytes, path: str, salt: str) -> tuple[bytes, bytes]:
    """Return what is hashed before the name, and what after it."""
    return _fields((b"v", SPEC.encode()), (b"o", _text(salt))), _fields((b"p", _text(path)), _canonical(seed))


def derive_rows(seeds: Sequence[int | str | bytes], *, name: str, path: str, salt: str = "") -> NDArray[np.uint64]:
    """Return the streams of one tensor for many seeds.

    Args:
        seeds: The seeds.
        name: As in `derive`.
        path: As in `derive`.
        salt: As in `derive`.

    Returns:
        For each seed a row (key, tweak).

    Example:
        >>> stream = derive(7, name="w", path="/0")
        >>> derive_rows([6, 7], name="w", path="/0")[1].tolist() == [stream.key, stream.tweak]
        True
    """
    first = _fields((b"v", SPEC.encode()), (b"o", _text(salt)), (b"n", _text(name)), (b"p", _text(path)))
    begun = blake2b(first, digest_size=15)
    digests: list[bytes] = []
    for seed in seeds:
        tag, field = _canonical(seed)
        hashing = begun.copy()
        hashing.update(b"%b%b%b" % (tag, len(field).to_bytes(8, "little"), field))
        digests.append(hashing.digest())
    return np.frombuffer(b"\0".join([*digests, b""]), "<u8").astype(np.uint64).reshape(-1, 2)


def _derived(before: bytes, after: bytes, name: str) -> Stream:
    told = _text(name)
    bits = blake2b(b"%bn%b%b%b" % (before, len(told).to_bytes(8, "little"), told, after), digest_size=15).digest()
    return Stream(int.from_bytes(bits[:8], "little"), int.from_bytes(bits[8:], "little"))


def _fields(*fields: tuple[bytes, bytes]) -> bytes:
    return b"".join([part for tag, field in fields for part in (tag, len(field).to_bytes(8, "little"), field)])


def _canonical(seed: object) -> tuple[bytes, bytes]:
    if isinstance(seed, bool):
        raise SeedError(f"a seed is an int, a str or bytes, got the bool {seed}: write seed=246")
    if type(seed) is int or isinstance(seed, Integral):
        # hex, not decimal: the time is linear, and Python refuses the decimal text of very long integers
        return b"i", format(int(seed), "x").encode()
    if isinstance(seed, str):
        return b"s", _text(seed)
    if isinstance(seed, bytes):
        return b"b", seed
    raise SeedError(f"a seed is an int, a str or bytes, got {type(seed).__name__} {seed!r}: write seed=246")


def _text(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
