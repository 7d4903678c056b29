"""What is tested with: the public conformance suites for operators and backends, and mutants for test sets.

from genewright.testing import check_backend, check_operator
from genewright.testing import DEEPMUTATION, FAULTS, LEMON, MUNN, PMT_MUTANTS, POSTTRAINING, STANDARD
from genewright.testing import AnySample, ClassKills, DeepCrime, Drop, McNemar, OutputChange, Paired, PMT
"""

from __future__ import annotations

from genewright.conformance import check_operator
from genewright.conformance.primitives import check_backend
from genewright.conformance.report import Conformance
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
from genewright.mutation_testing.fault_sample import fault_sample_size
from genewright.mutation_testing.intervals import benjamini_hochberg, clopper_pearson, wilson
from genewright.mutation_testing.keras_on import KerasOn
from genewright.mutation_testing.presets.deepmutation import DEEPMUTATION
from genewright.mutation_testing.presets.faults import FAULTS
from genewright.mutation_testing.presets.lemon import LEMON
from genewright.mutation_testing.presets.munn import MUNN
from genewright.mutation_testing.presets.pmt import PMT_MUTANTS
from genewright.mutation_testing.presets.posttraining import POSTTRAINING
from genewright.mutation_testing.presets.standard import STANDARD
from genewright.mutation_testing.sequential import sequential_test

__all__ = [
    "DEEPMUTATION",
    "FAULTS",
    "LEMON",
    "MUNN",
    "PMT",
    "PMT_MUTANTS",
    "POSTTRAINING",
    "STANDARD",
    "AnySample",
    "ClassKills",
    "Conformance",
    "Criterion",
    "DeepCrime",
    "Drop",
    "KerasOn",
    "McNemar",
    "OutputChange",
    "Paired",
    "benjamini_hochberg",
    "check_backend",
    "check_operator",
    "clopper_pearson",
    "fault_sample_size",
    "sequential_test",
    "wilson",
]
