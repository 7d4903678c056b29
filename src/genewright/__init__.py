"""Genewright: mutate neural networks, seeded, replayable bit for bit, checked against the original.

    import genewright as gw

    mutant = gw.mutate(model, gw.GaussianNoise(std=10, rate=0.3), seed=246)
    gw.recipe(mutant).save("mutant.json")

Importing genewright imports no framework.
"""

from __future__ import annotations

import sys as _sys
from types import ModuleType as _Module
from typing import Any as _Any

from genewright import authoring as authoring
from genewright import errors as errors
from genewright import fitness as fitness
from genewright import neurons as neurons
from genewright import noise as noise
from genewright import testing as testing
from genewright.attributes import open_room as _open_room
from genewright.backends.files import read_checkpoint as read_checkpoint
from genewright.compare import Comparison as Comparison
from genewright.compare import compare as compare
from genewright.conformance import check_operator as check_operator
from genewright.conformance.primitives import check_backend as check_backend
from genewright.cost import Cost as Cost
from genewright.costing import cost as cost
from genewright.difference import Difference as Difference
from genewright.difference import difference as difference
from genewright.errors import ConformanceError as ConformanceError
from genewright.errors import DataError as DataError
from genewright.errors import EditError as EditError
from genewright.errors import EvolutionError as EvolutionError
from genewright.errors import ExampleError as ExampleError
from genewright.errors import FileError as FileError
from genewright.errors import FingerprintError as FingerprintError
from genewright.errors import FunctionError as FunctionError
from genewright.errors import GenewrightError as GenewrightError
from genewright.errors import MissingExtraError as MissingExtraError
from genewright.errors import NoAttributeError as NoAttributeError
from genewright.errors import OperatorError as OperatorError
from genewright.errors import RecipeError as RecipeError
from genewright.errors import RecipeVersionError as RecipeVersionError
from genewright.errors import RunError as RunError
from genewright.errors import SeedError as SeedError
from genewright.errors import SelectionError as SelectionError
from genewright.errors import SettingError as SettingError
from genewright.errors import StoreError as StoreError
from genewright.errors import UnknownNameError as UnknownNameError
from genewright.errors import UnsupportedError as UnsupportedError
from genewright.evolution.callbacks import Callback as Callback
from genewright.evolution.callbacks import Report as Report
from genewright.evolution.child import Child as Child
from genewright.evolution.evolve import evolve as evolve
from genewright.evolution.executors.batched import Batched as Batched
from genewright.evolution.executors.processes import Processes as Processes
from genewright.evolution.executors.ray import Ray as Ray
from genewright.evolution.executors.serial import Serial as Serial
from genewright.evolution.individual import Individual as Individual
from genewright.evolution.loggers.csv_log import CSVLog as CSVLog
from genewright.evolution.loggers.mlflow_log import MLflowLog as MLflowLog
from genewright.evolution.loggers.tensorboard_log import TensorBoardLog as TensorBoardLog
from genewright.evolution.loggers.wandb_log import WandbLog as WandbLog
from genewright.evolution.resume import resume as resume
from genewright.evolution.run import Run as Run
from genewright.evolution.strategies.cmaes import CMAES as CMAES
from genewright.evolution.strategies.evolution_strategy import EvolutionStrategy as EvolutionStrategy
from genewright.evolution.strategies.genetic_algorithm import GeneticAlgorithm as GeneticAlgorithm
from genewright.evolution.strategies.hill_climb import HillClimb as HillClimb
from genewright.evolution.strategies.islands import Islands as Islands
from genewright.evolution.strategies.map_elites import MAPElites as MAPElites
from genewright.evolution.strategies.nsga2 import NSGA2 as NSGA2
from genewright.evolution.strategies.separable_cmaes import SeparableCMAES as SeparableCMAES
from genewright.evolution.strategies.steady_state import SteadyState as SteadyState
from genewright.evolution.strategies.strategy import Strategy as Strategy
from genewright.evolution.strategies.strength import OneFifth as OneFifth
from genewright.evolution.strategies.strength import SelfAdaptive as SelfAdaptive
from genewright.evolution.training import Training as Training
from genewright.evolution.training import Trial as Trial
from genewright.files import load as load
from genewright.files import read_recipe as read_recipe
from genewright.files import save as save
from genewright.function_operator import operator as operator
from genewright.keep_zeros import keep_zeros as keep_zeros
from genewright.knobs import knobs as knobs
from genewright.mutate import fingerprint as fingerprint
from genewright.mutate import mutate as mutate
from genewright.mutate import mutated as mutated
from genewright.mutate import plan as plan
from genewright.mutate import recipe as recipe
from genewright.mutate import replay as replay
from genewright.mutation_testing.campaign import campaign as campaign
from genewright.mutation_testing.differential import Differential as Differential
from genewright.mutation_testing.differential import differential as differential
from genewright.mutation_testing.fault_rate import fault_rate as fault_rate
from genewright.mutation_testing.fault_report import FaultRate as FaultRate
from genewright.mutation_testing.inconsistency import Inconsistency as Inconsistency
from genewright.mutation_testing.mutants import Mutants as Mutants
from genewright.mutation_testing.mutation_score import mutation_score as mutation_score
from genewright.mutation_testing.outcome import Outcome as Outcome
from genewright.mutation_testing.report import MutationReport as MutationReport
from genewright.operator import Combinator as Combinator
from genewright.operator import Operator as Operator
from genewright.operator import registered as _registered
from genewright.operators.architecture.add_branch import AddBranch as AddBranch
from genewright.operators.architecture.add_heads import AddHeads as AddHeads
from genewright.operators.architecture.add_skip import AddSkip as AddSkip
from genewright.operators.architecture.copy_layer import CopyLayer as CopyLayer
from genewright.operators.architecture.duplicate_block import DuplicateBlock as DuplicateBlock
from genewright.operators.architecture.grow_inputs import GrowInputs as GrowInputs
from genewright.operators.architecture.grow_kernel import GrowKernel as GrowKernel
from genewright.operators.architecture.grow_outputs import GrowOutputs as GrowOutputs
from genewright.operators.architecture.insert_layer import InsertLayer as InsertLayer
from genewright.operators.architecture.narrow import Narrow as Narrow
from genewright.operators.architecture.remove_heads import RemoveHeads as RemoveHeads
from genewright.operators.architecture.remove_layer import RemoveLayer as RemoveLayer
from genewright.operators.architecture.replace_activation import ReplaceActivation as ReplaceActivation
from genewright.operators.architecture.replace_layer import ReplaceLayer as ReplaceLayer
from genewright.operators.architecture.resize_positions import ResizePositions as ResizePositions
from genewright.operators.architecture.resize_vocabulary import ResizeVocabulary as ResizeVocabulary
from genewright.operators.architecture.shrink_inputs import ShrinkInputs as ShrinkInputs
from genewright.operators.architecture.shrink_outputs import ShrinkOutputs as ShrinkOutputs
from genewright.operators.architecture.swap_layers import SwapLayers as SwapLayers
from genewright.operators.architecture.widen import Widen as Widen
from genewright.operators.architecture.widen_stream import WidenStream as WidenStream
from genewright.operators.combinators.draw_settings import DrawSettings as DrawSettings
from genewright.operators.combinators.one_of import OneOf as OneOf
from genewright.operators.combinators.sequence import Sequence as Sequence
from genewright.operators.sharing.align_to import AlignTo as AlignTo
from genewright.operators.sharing.crossover import Crossover as Crossover
from genewright.operators.sharing.rewind import Rewind as Rewind
from genewright.operators.sharing.tie import Tie as Tie
from genewright.operators.sharing.transfer import Transfer as Transfer
from genewright.operators.units.block_inputs import BlockInputs as BlockInputs
from genewright.operators.units.block_units import BlockUnits as BlockUnits
from genewright.operators.units.fold_constant_units import FoldConstantUnits as FoldConstantUnits
from genewright.operators.units.invert_units import InvertUnits as InvertUnits
from genewright.operators.units.merge_units import MergeUnits as MergeUnits
from genewright.operators.units.prune_units import PruneUnits as PruneUnits
from genewright.operators.units.recycle_units import RecycleUnits as RecycleUnits
from genewright.operators.units.split_units import SplitUnits as SplitUnits
from genewright.operators.weights.bit_flip import BitFlip as BitFlip
from genewright.operators.weights.cauchy_noise import CauchyNoise as CauchyNoise
from genewright.operators.weights.evolution_noise import EvolutionNoise as EvolutionNoise
from genewright.operators.weights.evolution_update import EvolutionUpdate as EvolutionUpdate
from genewright.operators.weights.factor_noise import FactorNoise as FactorNoise
from genewright.operators.weights.fault_at import FaultAt as FaultAt
from genewright.operators.weights.gaussian_noise import GaussianNoise as GaussianNoise
from genewright.operators.weights.laplace_noise import LaplaceNoise as LaplaceNoise
from genewright.operators.weights.low_rank_noise import LowRankNoise as LowRankNoise
from genewright.operators.weights.mask_smallest import MaskSmallest as MaskSmallest
from genewright.operators.weights.quantize import Quantize as Quantize
from genewright.operators.weights.reset import Reset as Reset
from genewright.operators.weights.safe_gaussian_noise import SafeGaussianNoise as SafeGaussianNoise
from genewright.operators.weights.scale import Scale as Scale
from genewright.operators.weights.set_value import SetValue as SetValue
from genewright.operators.weights.set_weights import SetWeights as SetWeights
from genewright.operators.weights.shift import Shift as Shift
from genewright.operators.weights.shuffle import Shuffle as Shuffle
from genewright.operators.weights.sign_flip import SignFlip as SignFlip
from genewright.operators.weights.stuck_at import StuckAt as StuckAt
from genewright.operators.weights.swap_units import SwapUnits as SwapUnits
from genewright.operators.weights.uniform_noise import UniformNoise as UniformNoise
from genewright.operators.weights.zero import Zero as Zero
from genewright.plan import Plan as Plan
from genewright.plugins import PluginWarning as PluginWarning
from genewright.populations.population import Population as Population
from genewright.populations.population import evaluate as evaluate
from genewright.populations.population import population as population
from genewright.recipe import Recipe as Recipe
from genewright.resident import resident as resident
from genewright.strengths.calibrate import calibrate as calibrate
from genewright.strengths.calibrate import calibration as calibration
from genewright.strengths.calibration import Calibration as Calibration
from genewright.where import Where as Where
from genewright.where import where as where

__version__ = "0.1.0"

_ROOMS = {  # used as gw.fitness.Supervised is; what to write instead of calling one
    "authoring": "Write from genewright.authoring import Operator, Map, ...",
    "errors": "Write except gw.GenewrightError.",
    "fitness": "Write gw.fitness.Supervised(X, y), or give any function of a model.",
    "neurons": "Write gw.neurons.measure(model, data).",
    "noise": "Write gw.mutate(model, gw.GaussianNoise(std=0.01), seed=246).",
    "testing": "Write gw.check_operator(operator), or gw.mutation_score(model, (X, y), seed=246).",
}
_LOOKED_FOR = {
    "undo": "gw.mutate leaves the model as it is; gw.mutated undoes itself.",
    "load_recipe": "Write gw.Recipe.load(path), or gw.read_recipe(path) of a mutant's file.",
    **dict.fromkeys(("diff", "delta"), "Write gw.difference(first, second), or gw.compare(original, mutant, (X, y))."),
    **dict.fromkeys(("apply", "mutation", "Mutation", "Mutator"), "Write gw.mutate(model, operator, seed=246)."),
    **dict.fromkeys(("prune", "Prune", "shrink"), "Write gw.Narrow(layer, 0.5), or gw.RemoveLayer(layer)."),
    **dict.fromkeys(("grow", "Grow", "expand"), "Write gw.Widen(layer, 1.5) or gw.InsertLayer(after=layer)."),
    **dict.fromkeys(("seed", "manual_seed", "set_seed"), "There is no global seed. Write gw.mutate(..., seed=246)."),
    **dict.fromkeys(("score", "accuracy"), "Write gw.compare(original, mutant, (X, y), metrics='accuracy')."),
    **dict.fromkeys(("measure", "dead_neurons", "dead"), "Write gw.neurons.measure(model, data)."),
    **dict.fromkeys(("show", "summary", "info"), "Write print(gw.knobs(model, example=x)), or genewright show FILE."),
    **dict.fromkeys(("clone", "copy"), "Write copy.deepcopy(model); gw.mutate makes a copy by itself."),
    **dict.fromkeys(
        ("operators", "list_operators"), "They are names of gw: dir(gw); in a shell: genewright operators."
    ),
}

# What is public: all that the lines above export (`X as X`), and the rooms. Whatever else lies about is private.
_SHOWN = {name for name, value in globals().items() if not (name.startswith("_") or isinstance(value, _Module))}
__all__ = sorted(_SHOWN - {"annotations"} | set(_ROOMS))  # pyright: ignore[reportUnsupportedDunderAll]  # noqa: PLE0605  # not said twice


def __dir__() -> list[str]:
    """List the names that are for users: what is public, and operators of other packages."""
    return sorted({*__all__, *(cls.__name__ for cls in _registered().values()), "__version__"})


def __getattr__(name: str) -> _Any:
    """Find operators of other packages as names of gw; what is not there, the room answers."""
    if not name.startswith("_"):
        for cls in _registered().values():
            if cls.__name__ == name:
                return cls
    raise AttributeError(name)


for _room, _call in _ROOMS.items():
    _open_room(globals()[_room], _call)
_open_room(_sys.modules[__name__], "Write gw.mutate(model, operator, seed=246).", _LOOKED_FOR)
