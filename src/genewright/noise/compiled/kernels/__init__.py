"""The source of the machine code, in Numba's Python: importing it imports numba, which only compiling needs."""
