"""Neurons: measure the units of a network on data, and choose among them.

table = gw.neurons.measure(model, data, measures=["active_fraction", "dormancy"])
dead = table.filter("active_fraction == 0")
mutant = gw.mutate(model, gw.Zero(where=gw.where(units=dead.mask())), seed=246)
"""

from genewright.neurons.measures import ActiveFraction as ActiveFraction
from genewright.neurons.measures import Apoz as Apoz
from genewright.neurons.measures import ClassSelectivity as ClassSelectivity
from genewright.neurons.measures import Constancy as Constancy
from genewright.neurons.measures import Dormancy as Dormancy
from genewright.neurons.measures import Duplicates as Duplicates
from genewright.neurons.measures import EffectiveRank as EffectiveRank
from genewright.neurons.measures import Entropy as Entropy
from genewright.neurons.measures import Fisher as Fisher
from genewright.neurons.measures import GradientDormancy as GradientDormancy
from genewright.neurons.measures import IncomingNorm as IncomingNorm
from genewright.neurons.measures import Mean as Mean
from genewright.neurons.measures import OutgoingNorm as OutgoingNorm
from genewright.neurons.measures import Saturation as Saturation
from genewright.neurons.measures import Sensitivity as Sensitivity
from genewright.neurons.measures import Taylor as Taylor
from genewright.neurons.measures import Variance as Variance
from genewright.neurons.measures import Wanda as Wanda
from genewright.neurons.measuring import DEFAULT as DEFAULT
from genewright.neurons.measuring import measure as measure
from genewright.neurons.registry import Gauge as Gauge
from genewright.neurons.registry import Measure as Measure
from genewright.neurons.registry import Surroundings as Surroundings
from genewright.neurons.registry import all_measures as all_measures
from genewright.neurons.relation import check_active as check_active
from genewright.neurons.table import NeuronTable as NeuronTable
from genewright.observation import Chunk as Chunk
from genewright.observation import UnitLayer as UnitLayer
