"""The Triton backend: the same change of a tensor on a CUDA device, in one kernel, with the reference's bits.

Needs torch and triton; importing this package imports both.
"""

from genewright.noise.cuda.backend import apply as apply
