"""plan, mutate, mutated (undo), replay: the one path by which networks change."""

from genewright.mutate.acting import Model as Model
from genewright.mutate.acting import Operators as Operators
from genewright.mutate.acting import act as act
from genewright.mutate.block import Mutated as Mutated
from genewright.mutate.block import mutated as mutated
from genewright.mutate.identity import fingerprint as fingerprint
from genewright.mutate.identity import recipe as recipe
from genewright.mutate.making import mutate as mutate
from genewright.mutate.making import plan as plan
from genewright.mutate.replaying import replay as replay
