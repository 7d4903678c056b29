"""The fingerprint of a network: names, shapes, dtypes and bytes of all its tensors; and how two of them differ."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping

import blake3

from genewright.network import Network
from genewright.tensor import in_order

_DIGEST_BYTES = 20
_FORM_BYTES = 4
_PARALLEL_BYTES = 1 << 20  # below this, threads cost more than they give
_WRAPPERS = ("module.", "model.", "_orig_mod.", "net.", "network.", "base_model.model.", "transformer.", "backbone.")


def fingerprint_of(network: Network) -> str:
    """Return the fingerprint, ``"b3:"`` and 40 hexadecimal digits.

    It does not depend on the order in which tensors are listed, on device or memory layout. A tied tensor counts once,
    under the name that it goes by: so a file that holds it under that name alone, as transformers writes it, has the
    fingerprint of its model. Buffers that a state dict leaves out are left out here.

    The digest is BLAKE3 (O'Connor et al., 2020), truncated to 160 bits.
    """
    return _digest(_entries(network).items())


class Fingerprints:
    """The fingerprints of a network as some of its tensors change and change back: only those are read again.

    Args:
        network: A view of the network as it is at first.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self._first = _entries(network)
        self.first = _digest(self._first.items())
        self._chunks = {name: _chunk(name, about) for name, about in sorted(self._first.items())}

    def now(self, changed: Iterable[str]) -> str:
        """Return the fingerprint while `changed` tensors may have other bytes, and all others their first ones."""
        now = dict(self._chunks)
        now.update((name, _chunk(name, _entry(self._network, name))) for name in changed)
        return _of_chunks(now.values())


def form_of(network: Network) -> str:
    """Return digests of the tensors' names, and of their names, shapes and dtypes: ``"1f3a77c0:9b02e4d1"``.

    A fingerprint says that two networks differ; with these it can be said in what.
    """
    return _form_of(tuple([(tensor.name, tensor.dtype, tensor.shape) for tensor in network.tensors.values()]))


@functools.lru_cache(maxsize=64)  # one model again and again
def _form_of(told: tuple[tuple[str, str, tuple[int, ...]], ...]) -> str:
    names = "\0".join(sorted(name for name, _, _ in told))
    shapes = "\0".join(f"{name} {dtype} {shape}" for name, dtype, shape in sorted(told))
    return ":".join(blake3.blake3(text.encode()).digest(_FORM_BYTES).hex() for text in (names, shapes))


def difference_from(fingerprint: str, form: str | None, network: Network) -> str:
    """Say in what a network differs from one whose fingerprint is known: by a prefix, a tie, names, shapes or values.

    Args:
        fingerprint: The other network's.
        form: What `form_of` says of that one, where that is known.
        network: The network that is there.
    """
    entries = _entries(network)
    for words, others in _variants(network, entries):
        if _digest(others.items()) == fingerprint:
            return f"Only names differ: {words}."
    if form is None:
        return ""
    names, shapes = form.split(":")
    own = form_of(network)
    if own.split(":")[0] != names:
        for words, others in _variants(network, entries):
            if _digest_of_names(others) == names:
                return f"Names differ, and shapes or values too: {words}."
        return f"The names of the tensors differ: this network has {_some(network.tensors)}."
    if own.split(":")[1] != shapes:
        told = ((t.name, t.dtype, t.shape) for t in network.tensors.values())
        return (
            "The names are the same, and a shape or a dtype differs: this network has "
            f"{_some(f'{name} ({dtype} of shape {shape})' for name, dtype, shape in told)}."
        )
    return "Names, shapes and dtypes are the same: the values differ (trained further, or drawn anew)."


def _entries(network: Network) -> dict[str, bytes]:
    """Return what counts of every tensor, by its name."""
    found = {name: _entry(network, name) for name in network.tensors}
    found.update((name, state.about) for name, state in network.state.items())
    return found


def _entry(network: Network, name: str) -> bytes:
    tensor, data = network.tensors[name], network.raw(name)
    large = data.nbytes >= _PARALLEL_BYTES
    digest = (blake3.blake3(data, max_threads=blake3.blake3.AUTO) if large else blake3.blake3(data)).digest()
    return _prefix(tensor.dtype, tensor.shape) + digest


@functools.lru_cache(maxsize=4096)
def _prefix(dtype: str, shape: tuple[int, ...]) -> bytes:
    return f"{dtype} {','.join(map(str, shape))} ".encode()


def _digest(entries: Iterable[tuple[str, bytes]]) -> str:
    return _of_chunks(_chunk(name, about) for name, about in sorted(entries))


def _chunk(name: str, about: bytes) -> bytes:
    encoded = name.encode()
    return b"".join((len(encoded).to_bytes(8, "little"), encoded, len(about).to_bytes(8, "little"), about))


def _of_chunks(chunks: Iterable[bytes]) -> str:
    return "b3:" + blake3.blake3(b"".join(chunks)).digest(_DIGEST_BYTES).hex()


def _digest_of_names(names: Iterable[str]) -> str:
    return blake3.blake3("\0".join(sorted(names)).encode()).digest(_FORM_BYTES).hex()


def _variants(network: Network, entries: Mapping[str, bytes]) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Yield what the other network's names could be, each with words for it."""
    firsts = {name.partition(".")[0] + "." for name in entries}
    for prefix in firsts if len(firsts) == 1 else ():
        yield (
            f"here all of them begin with {prefix!r}, there they do not; give the network inside, or take the prefix "
            "off the names",
            {name.removeprefix(prefix): about for name, about in entries.items()},
        )
    for prefix in _WRAPPERS:
        yield (
            f"there all of them begin with {prefix!r}, here they do not; give the network that was wrapped so",
            {prefix + name: about for name, about in entries.items()},
        )
    tied = [tensor for tensor in network.tensors.values() if tensor.aliases]
    if tied:
        yield (
            f"here {_said_ties((t.name, *t.aliases) for t in tied)}, there they are tensors of their own",
            dict(entries) | {alias: entries[t.name] for t in tied for alias in t.aliases},
        )
    for tensor in tied:
        for alias in tensor.aliases:
            others = {name: about for name, about in entries.items() if name != tensor.name}
            yield (
                f"the tied tensor {tensor.name!r} goes by the name {alias!r} there",
                others | {alias: entries[tensor.name]},
            )
    equal: dict[bytes, list[str]] = {}
    for name, about in entries.items():
        equal.setdefault(about, []).append(name)
    groups = [in_order(names) for names in equal.values() if len(names) > 1]
    for chosen in (*([group] for group in groups), groups) if groups else ():
        dropped = {name for names in chosen for name in names[1:]}
        yield (
            f"there {_said_ties(chosen)}, here they are tensors of their own with the same values; tie them (gw.Tie)",
            {name: about for name, about in entries.items() if name not in dropped},
        )


def _said_ties(groups: Iterable[Iterable[str]]) -> str:
    return "; ".join(f"{' and '.join(map(repr, names))} are one tensor (tied)" for names in groups)


def _some(words: Iterable[str], shown: int = 5) -> str:
    known = list(words)
    return ", ".join(known[:shown]) + (f" and {len(known) - shown} more" if len(known) > shown else "")
