"""transformers: a mutant's config is brought up to date, so that `save_pretrained` and `from_pretrained` keep it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from torch import nn

from genewright.backends.torch.integrations import Change, Integration
from genewright.declaration import Declaration
from genewright.integrations.transformers.build_from_config import is_config
from genewright.integrations.transformers.layer_counts import layer_count_changes
from genewright.integrations.transformers.sync_config import sync_config


class TransformersIntegration(Integration):
    """The configs of models that `from_pretrained` makes."""

    def is_config(self, value: object) -> bool:
        return is_config(value)

    def layer_count_changes(
        self, model: nn.Module, container: str, before: int, order: Sequence[int]
    ) -> Iterator[Change]:
        return layer_count_changes(model, container, before, order)

    def declared(self, model: nn.Module, example: Any) -> Declaration:
        return sync_config(model, example)


INTEGRATION = TransformersIntegration()
