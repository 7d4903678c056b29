"""Python that Numba has compiled once a machine, called without Numba: what the kernels of several rooms share."""
