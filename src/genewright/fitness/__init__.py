"""gw.fitness: what individuals are judged by. One fitness a file; any function of a model will do as well."""

from genewright.fitness.fitness import Fitness as Fitness
