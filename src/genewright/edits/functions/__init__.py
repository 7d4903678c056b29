"""Functions that `Map` names, one a file; importing them registers them."""

from genewright.edits.functions.absorb import Absorb as Absorb
from genewright.edits.functions.add import Add as Add
from genewright.edits.functions.add_low_rank import AddLowRank as AddLowRank
from genewright.edits.functions.ascend import Ascend as Ascend
from genewright.edits.functions.divided_noise import DividedNoise as DividedNoise
from genewright.edits.functions.force_bits import ForceBits as ForceBits
from genewright.edits.functions.identity import Identity as Identity
from genewright.edits.functions.mean_fill import MeanFill as MeanFill
from genewright.edits.functions.negate import Negate as Negate
from genewright.edits.functions.quantize import Quantize as Quantize
from genewright.edits.functions.resample import Resample as Resample
from genewright.edits.functions.scale import Scale as Scale
from genewright.edits.functions.shuffle import Shuffle as Shuffle
from genewright.edits.functions.zero_smallest import ZeroSmallest as ZeroSmallest
