"""The widths of Keras models: a reader of graphs, and a rule for each family of layers."""

from __future__ import annotations

from genewright.backends.keras.widths.keras_widths import KerasWidths as KerasWidths
from genewright.backends.keras.widths.rules import (
    applications as applications,
)
from genewright.backends.keras.widths.rules import (
    attention as attention,
)
from genewright.backends.keras.widths.rules import (
    convolution as convolution,
)
from genewright.backends.keras.widths.rules import (
    dense as dense,
)
from genewright.backends.keras.widths.rules import (
    einsum as einsum,
)
from genewright.backends.keras.widths.rules import (
    merging as merging,
)
from genewright.backends.keras.widths.rules import (
    norms as norms,
)
from genewright.backends.keras.widths.rules import (
    operations as operations,
)
from genewright.backends.keras.widths.rules import (
    pointwise as pointwise,
)
from genewright.backends.keras.widths.rules import (
    preparing as preparing,
)
from genewright.backends.keras.widths.rules import (
    recurrent as recurrent,
)
from genewright.backends.keras.widths.rules import (
    space as space,
)
from genewright.backends.keras.widths.rules import (
    wrappers as wrappers,
)
