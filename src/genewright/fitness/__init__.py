"""gw.fitness: what individuals are judged by. One fitness a file; any function of a model will do as well."""

from genewright.fitness.fitness import Fitness as Fitness
from genewright.fitness.gymnasium import Gymnasium as Gymnasium
from genewright.fitness.named import Named as Named
from genewright.fitness.penalty import Penalty as Penalty
from genewright.fitness.supervised import Supervised as Supervised
