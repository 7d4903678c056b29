"""Whether a file's tensors are those of a model: by name, where one name of a tied tensor is enough, and by shape."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from genewright.backends.files.checkpoint import Checkpoint, Entry
from genewright.errors import FileError
from genewright.tensor import Tensor

_SHOWN = 5


def fitted(checkpoint: Checkpoint, tensors: Iterable[Tensor], place: str, owner: str) -> dict[str, Entry]:
    """Return a file's entry for each tensor of a model, by the tensor's name.

    Args:
        checkpoint: What the file holds.
        tensors: The model's tensors.
        place: What to call the file in messages.
        owner: What to call the model.

    Raises:
        FileError: A tensor has no entry, an entry no tensor, the shapes differ, or a tied tensor has two values.
    """
    known = list(tensors)
    names = {name for tensor in known for name in (tensor.name, *tensor.aliases)}
    found = {t.name: [n for n in (t.name, *t.aliases) if n in checkpoint.entries] for t in known}
    missing = [name for name, there in found.items() if not there]
    extra = [name for name in checkpoint.entries if name not in names]
    if missing or extra:
        raise FileError(
            f"{place}: does not fit this {owner}: missing in the file {missing[:_SHOWN]}, unknown to the model "
            f"{extra[:_SHOWN]}.{_prefix(missing, extra)}"
        )
    for tensor in known:
        first, *others = (checkpoint.entries[name] for name in found[tensor.name])
        if first.shape != tensor.shape:
            raise FileError(f"{place}: {tensor.name!r} has shape {first.shape}, the model's has {tensor.shape}.")
        for other in others:
            if other.data is not first.data and not _equal(first, other):
                raise FileError(
                    f"{place}: {' and '.join(map(repr, found[tensor.name]))} differ, and they are one tensor in this "
                    f"{owner}. Untie the model's, or write one of them over the other."
                )
    return {tensor.name: checkpoint.entries[found[tensor.name][0]] for tensor in known}


def _equal(a: Entry, b: Entry) -> bool:
    return (a.dtype, a.shape) == (b.dtype, b.shape) and a.data.tobytes() == b.data.tobytes()


def _prefix(missing: Sequence[str], extra: Sequence[str]) -> str:
    """Say it where a prefix is all that stands between the names."""
    for longer, shorter, whose in ((extra, missing, "The file's names are"), (missing, extra, "The model's names are")):
        prefixes = {longer[0].removesuffix(name) for name in shorter if longer and longer[0].endswith(f".{name}")}
        prefix = next((p for p in prefixes if sorted(longer) == sorted(p + name for name in shorter)), "")
        if prefix:
            return (
                f" {whose} the other's behind {prefix!r}: a wrapper's. Read the file with gw.read_checkpoint, rename "
                "its `entries` and write it again, or give the model that has these names."
            )
    return ""
