"""The Numba backend: draw and apply in one go, in place, on all cores, with the reference's bits.

Numba compiles the kernels, once per machine and version; after that their machine code is loaded without it.
"""

from genewright.noise.compiled.backend import apply as apply
from genewright.noise.compiled.backend import mask as mask
from genewright.noise.compiled.rows import apply_rows as apply_rows
from genewright.noise.compiled.sums import add_sum as add_sum
