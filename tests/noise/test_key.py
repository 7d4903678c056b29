import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genewright.noise import SPEC, Stream, derive
from genewright.noise.key import deriving
from genewright.seeding import Noise


def test_golden():
    made = derive(246, name="layer1.0.weight", path="0/1", salt="gaussian_noise")
    assert SPEC == "gw1"
    assert (hex(made.key), hex(made.tweak)) == ("0x719948961fe96906", "0xa8e7b25f89644f")


def test_kinds_of_seeds_are_told_apart():
    seeds = [1, "1", b"1", -1, 16, "16", "10", b"10", 0, "", b"", 2**64, 2**200, -(2**200)]
    assert len({derive(seed, name="a", path="b") for seed in seeds}) == len(seeds)
    assert (
        derive(np.int64(7), name="a", path="") == derive(7, name="a", path="") == derive(np.uint8(7), name="a", path="")
    )


@given(st.lists(st.text(), min_size=3, max_size=3), st.lists(st.text(), min_size=3, max_size=3))
def test_fields_never_run_into_each_other(first, second):
    streams = [derive("seed", name=name, path=path, salt=salt) for name, path, salt in (first, second)]
    assert (streams[0] == streams[1]) == (first == second)


def test_a_very_long_integer_is_a_seed():
    assert derive(10**10_000, name="a", path="") != derive(10**10_000 + 1, name="a", path="")


@pytest.mark.parametrize("seed", [True, False, np.True_, 1.0, None, (1,), [1]])
def test_other_types_are_refused(seed):
    with pytest.raises(TypeError, match="a seed is an int, a str or bytes"):
        derive(seed, name="a", path="")


@pytest.mark.parametrize(("key", "tweak"), [(-1, 0), (2**64, 0), (0, 2**56), (0, -1)])
def test_a_stream_fits_its_widths(key, tweak):
    with pytest.raises(ValueError, match="must fit"):
        Stream(key=key, tweak=tweak)


@given(st.one_of(st.integers(), st.text(), st.binary()), st.text(), st.text(), st.lists(st.text(), min_size=1))
def test_one_derivation_of_many_names_is_many_derivations(seed, path, salt, names):
    derived, noise = deriving(seed, path=path, salt=salt), Noise(seed, path, salt)
    want = [derive(seed, name=name, path=path, salt=salt) for name in names]
    assert [derived(name) for name in names] == want
    assert [noise.stream(name) for name in names] == want
    assert [pickle.loads(pickle.dumps(noise)).stream(name) for name in names] == want
