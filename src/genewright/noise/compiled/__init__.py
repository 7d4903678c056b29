"""The Numba backend: draw and apply in one go, in place, on all cores, with the reference's bits.

Importing this package imports numba and defines the kernels; they are compiled on their first use and kept on disk
(numba's cache), so that later processes only load them.
"""

from genewright.noise.compiled.backend import apply as apply
from genewright.noise.compiled.backend import mask as mask
