"""What combinators share: whether one of their operators can act on a network."""

from __future__ import annotations

from genewright.errors import GenewrightError
from genewright.network import Network
from genewright.operator import AnyOperator, Combinator
from genewright.seeding import Noise


def refusal(operator: AnyOperator, network: Network, noise: Noise) -> GenewrightError | None:
    """Return why an operator cannot act on a network, as far as its proposal shows it; None where it can.

    A combinator chooses by itself, and what a donor is needed for is known to the core alone: both count as fit.

    Args:
        operator: The operator.
        network: The network as it is now.
        noise: The noise that the operator would be handed.
    """
    if isinstance(operator, Combinator) or operator.donors():
        return None
    salted = noise.salted(operator.name)
    try:
        for _ in operator.resolve((network,), salted).propose((network,), salted):
            pass
    except GenewrightError as error:
        return error
    return None
