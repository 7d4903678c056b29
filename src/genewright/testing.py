"""What is tested with: the public conformance suites for operators and backends, and mutants for test sets.

from genewright.testing import check_backend, check_operator
from genewright.testing import STANDARD, AnySample, ClassKills, DeepCrime, Drop, McNemar, OutputChange, Paired, PMT
"""

from __future__ import annotations

from genewright.conformance import check_operator
from genewright.conformance.primitives import check_backend
from genewright.mutation_testing.criteria import (
    PMT,
    AnySample,
    ClassKills,
    DeepCrime,
    Drop,
    McNemar,
    OutputChange,
    Paired,
)
from genewright.mutation_testing.criteria.criterion import Criterion
from genewright.mutation_testing.intervals import benjamini_hochberg, clopper_pearson, wilson
from genewright.mutation_testing.presets.standard import STANDARD
from genewright.mutation_testing.sequential import sequential_test

__all__ = [
    "PMT",
    "STANDARD",
    "AnySample",
    "ClassKills",
    "Criterion",
    "DeepCrime",
    "Drop",
    "McNemar",
    "OutputChange",
    "Paired",
    "benjamini_hochberg",
    "check_backend",
    "check_operator",
    "clopper_pearson",
    "sequential_test",
    "wilson",
]
