"""The layers that make a network's outputs: their units are classes, or what else is predicted, and no roles."""

from __future__ import annotations

from genewright.network import Network


def output_layers(network: Network) -> tuple[str, ...]:
    """Return the layers whose units go into no weights and no product, so that they are the outputs, or are lost.

    Without an example nothing is said, also where a graph would say it: a file is to give what its model gives.
    """
    if not network.runs:
        return ()
    knobs = network.structure.widths.knobs()
    plain = [knob for knob in knobs if not knob.mixes and not any("reader" in place.roles for place in knob.places)]
    return tuple(dict.fromkeys(p.layer for knob in plain for p in knob.places if "writer" in p.roles))
