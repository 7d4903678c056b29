"""What a model says of the number of its inputs, outputs or words beside what its forward pass reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

End = Literal["input", "output", "vocabulary"]
"""A length of the model's own: of what it takes, of what it returns, or of the words that it knows."""

_NAMES: dict[End, str] = {
    "output": "num_classes num_labels n_classes n_labels nb_classes num_outputs n_outputs output_size output_dim "
    "out_dim out_channels num_out_channels out_chans out_features num_targets n_out nout nc",
    "input": "in_chans in_channels num_channels n_channels input_channels num_in_channels input_size input_dim in_dim "
    "in_features num_inputs n_inputs n_in",
    "vocabulary": "vocab_size n_vocab num_tokens n_tokens num_embeddings ntoken vocabulary_size n_token out_features",
}
NAMES: dict[End, frozenset[str]] = {end: frozenset(words.split()) for end, words in _NAMES.items()}
"""How code calls such a number: an attribute of this name and of the old value is taken for it."""


@dataclass(frozen=True)
class Count:
    """A number, or a table of labels, that follows.

    Attributes:
        layer: The layer that holds it; "" is the model.
        path: The attribute, dotted where it is an entry of a config.
        new: What it becomes.
    """

    layer: str
    path: str
    new: Any


@dataclass(frozen=True)
class Counts:
    """Numbers beside the run.

    Attributes:
        follow: What is set.
        stay: Names of other attributes that have the old value; nothing says what they mean.
    """

    follow: tuple[Count, ...] = ()
    stay: tuple[str, ...] = ()


_POSITION_NAMES = {
    "sequence": "max_position_embeddings n_positions num_positions max_positions n_position n_ctx block_size max_len "
    "context_length context_size ctx_len max_context_length max_seq_len max_seq_length max_sequence_length maxlen "
    "max_length seq_len seq_length sequence_length max_source_positions max_target_positions num_patches n_patches "
    "num_image_tokens position_embedding_size",
    "grid": "grid_size patches_resolution num_patches_per_side feat_size patch_grid grid_shape input_resolution "
    "num_patches_one_direction patch_shape",
    "image": "image_size img_size input_size input_resolution resolution img_res image_resolution",
}
POSITION_NAMES: dict[str, frozenset[str]] = {kind: frozenset(words.split()) for kind, words in _POSITION_NAMES.items()}
"""How code calls the number of positions, the sides of a grid of patches, and those of the image below it."""
