"""The fingerprint of a network: names, shapes, dtypes and bytes of all its tensors."""

from __future__ import annotations

import blake3

from genewright.network import Network

_DIGEST_BYTES = 20
_PARALLEL_BYTES = 1 << 20  # below this, threads cost more than they give


def fingerprint_of(network: Network) -> str:
    """Return the fingerprint, ``"b3:"`` and 40 hexadecimal digits.

    It does not depend on the order in which tensors are listed, on device or memory layout. A tied tensor counts
    under each of its names, so that a file, which cannot express ties, has the same fingerprint as its model.
    Buffers that a state dict leaves out are left out here.

    The digest is BLAKE3 (O'Connor et al., 2020), truncated to 160 bits.
    """
    entries: list[tuple[str, bytes]] = []
    for tensor in network.tensors.values():
        data = network.raw(tensor.name)
        large = data.nbytes >= _PARALLEL_BYTES
        digest = (blake3.blake3(data, max_threads=blake3.blake3.AUTO) if large else blake3.blake3(data)).digest()
        about = f"{tensor.dtype} {','.join(map(str, tensor.shape))} ".encode() + digest
        entries.extend((name, about) for name in (tensor.name, *tensor.aliases))
    parts: list[bytes] = []
    for name, about in sorted(entries):
        encoded = name.encode()
        parts += (len(encoded).to_bytes(8, "little"), encoded, len(about).to_bytes(8, "little"), about)
    return "b3:" + blake3.blake3(b"".join(parts)).digest(_DIGEST_BYTES).hex()
