"""The one way in which a model changes."""

from genewright.transaction.steps import Done as Done
from genewright.transaction.transaction import Transaction as Transaction
