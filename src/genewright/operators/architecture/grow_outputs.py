"""More outputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from genewright.edits import Edit
from genewright.network import Network
from genewright.operator import Operator
from genewright.operators.architecture.model_ends import appended, find_end
from genewright.operators.architecture.new_end_init import check_init, donors_of, fill
from genewright.references import NO_LAYER, LayerSetting
from genewright.seeding import Noise
from genewright.settings import check_integer
from genewright.widths import knob as widths

INITS = ("zero", "mean", "noise")


@dataclass(frozen=True, kw_only=True)
class GrowOutputs(Operator):
    """Add outputs behind those that there are: classes, regression targets, channels of a segmentation.

    y' = [W x + b, V x + c]: the old outputs and the new ones, with V and c as `init` says.

    The old outputs stay as they are. Where a softmax makes the outputs, as in many Keras models, the ratios among the
    old ones stay, for all of them share out 1. Numbers that the model keeps of its outputs follow: attributes called
    `num_classes`, `num_labels` and the like, and the labels in a config (`id2label`); the plan names others that have
    the old value.

    | init | weights of a new output | bias |
    |---|---|---|
    | "zero" | 0 | 0 |
    | "mean" | the mean of the old ones | likewise |
    | "noise" | drawn at the layer's own spread | 0 |
    | {"copy": [2, 0]} | those of outputs 2 and 0 | likewise |

    Args:
        layer: The layer that writes them, or one that holds it; None where the model has one such layer.
        num_units: How many are added.
        init: How they are filled.

    Raises:
        SettingError: A setting is out of its range.
        UnknownNameError: No layer is called so, or there are several such lengths.
        UnsupportedError: Something else keeps their number, which is named; or new outputs would change old ones.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))
        >>> more = gw.mutate(net, gw.GrowOutputs("2", num_units=2), seed=1, example=torch.ones(1, 4))
        >>> bool(torch.allclose(more(torch.ones(1, 4))[:, :3], net(torch.ones(1, 4))))
        True

    References:
        Li, Hoiem, "Learning without Forgetting", arXiv:1606.09282, section 3 (new output nodes beside the old ones);
        Cermelli et al., "Modeling the Background for Incremental Learning in Semantic Segmentation",
        arXiv:2002.00718, section 3.3 (new classifiers that start from an old class).
    """

    keeps: ClassVar[frozenset[str]] = frozenset({"ends"})

    layer: LayerSetting = field(default=NO_LAYER, kw_only=False)
    num_units: int = field(default=1, kw_only=False)
    init: Literal["zero", "mean", "noise"] | Mapping[str, Any] = "zero"

    def __post_init__(self) -> None:
        check_integer(self, "num_units", self.num_units, low=1)
        object.__setattr__(self, "init", check_init(self, self.init, INITS, self.num_units))

    def note(self, networks: tuple[Network, ...]) -> str:
        end = find_end(networks[0], self.layer, "output")
        return end.note(appended(end.knob.size, self.num_units, None)[0])

    def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[Edit]:
        """Yield the edits of every place, and of the numbers that follow."""
        network = networks[0]
        end = find_end(network, self.layer, "output")
        donors = donors_of(self.init, end.knob, self)
        index, new = appended(end.knob.size, self.num_units, donors)

        def blank(place: widths.Place) -> bool:
            if "reader" in place.roles:
                return True  # what reads outputs too goes on without the new ones
            weights = network.tensor(place.tensor).role in ("kernel", "embedding", "recurrent_kernel", "bias")
            return donors is None and (weights or "writer" in place.roles)

        moved = end.resized(index, new=new, blank=blank)
        yield moved
        yield from fill(self.init, moved, end.knob, network, role="writer")
