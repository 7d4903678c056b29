"""The measures, one a file: each with its formula, its unit and its source."""

from genewright.neurons.measures.active_fraction import ActiveFraction as ActiveFraction
from genewright.neurons.measures.apoz import Apoz as Apoz
from genewright.neurons.measures.class_selectivity import ClassSelectivity as ClassSelectivity
from genewright.neurons.measures.constancy import Constancy as Constancy
from genewright.neurons.measures.dormancy import Dormancy as Dormancy
from genewright.neurons.measures.duplicates import Duplicates as Duplicates
from genewright.neurons.measures.effective_rank import EffectiveRank as EffectiveRank
from genewright.neurons.measures.entropy import Entropy as Entropy
from genewright.neurons.measures.fisher import Fisher as Fisher
from genewright.neurons.measures.gradient_dormancy import GradientDormancy as GradientDormancy
from genewright.neurons.measures.incoming_norm import IncomingNorm as IncomingNorm
from genewright.neurons.measures.mean import Mean as Mean
from genewright.neurons.measures.outgoing_norm import OutgoingNorm as OutgoingNorm
from genewright.neurons.measures.saturation import Saturation as Saturation
from genewright.neurons.measures.sensitivity import Sensitivity as Sensitivity
from genewright.neurons.measures.taylor import Taylor as Taylor
from genewright.neurons.measures.variance import Variance as Variance
from genewright.neurons.measures.wanda import Wanda as Wanda
