"""Criteria: when a mutant counts as killed, one a file."""

from genewright.mutation_testing.criteria.any_sample import AnySample as AnySample
from genewright.mutation_testing.criteria.class_kills import ClassKills as ClassKills
from genewright.mutation_testing.criteria.deepcrime import DeepCrime as DeepCrime
from genewright.mutation_testing.criteria.drop import Drop as Drop
from genewright.mutation_testing.criteria.mcnemar import McNemar as McNemar
from genewright.mutation_testing.criteria.output_change import OutputChange as OutputChange
from genewright.mutation_testing.criteria.paired import Paired as Paired
from genewright.mutation_testing.criteria.pmt import PMT as PMT
