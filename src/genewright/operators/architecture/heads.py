"""What the operators on attention heads share: finding them, and choosing among them."""

from __future__ import annotations

from collections.abc import Iterable

from genewright.errors import UnknownNameError, UnsupportedError
from genewright.names import did_you_mean, is_pattern, matches
from genewright.network import Network
from genewright.noise import uniform01
from genewright.operators.architecture.importance import holders
from genewright.seeding import Noise
from genewright.widths.knob import Knob
from genewright.widths.widths import Widths, refuse_overlaps


def heads_of(network: Network, layer: str, operator: str) -> tuple[Knob, ...]:
    """Return the heads of the attention at `layer`; of a pattern, those of every attention that it stands for.

    Args:
        network: The network.
        layer: Name of a knob, of a layer that writes heads, or of a module that holds one such attention.
        operator: Who asks, for the message.

    Raises:
        UnsupportedError: There are none, or several; they are listed.
        UnknownNameError: Nothing is called so.
    """
    widths: Widths = network.structure.widths
    heads = [knob for knob in widths.knobs() if knob.kind == "heads"]
    if not is_pattern(layer):
        return (_heads_of(network, heads, layer, operator),)
    around = [
        name
        for knob in heads
        for name in (knob.name, *knob.layers, *(holder for name in knob.layers for holder in holders(name)))
    ]
    meant = [name for name in dict.fromkeys(around) if matches(layer, name)]
    if not meant:
        raise UnknownNameError(f"{operator}: nothing with heads is called {layer!r}. {did_you_mean(layer, around)}")
    found = tuple(dict.fromkeys(_heads_of(network, heads, name, operator) for name in meant))
    refuse_overlaps(found)
    return found


def _heads_of(network: Network, heads: list[Knob], layer: str, operator: str) -> Knob:
    widths: Widths = network.structure.widths
    exact = [knob for knob in heads if knob.name == layer or layer in knob.layers]
    inside = exact or [knob for knob in heads if any(name.startswith(f"{layer}.") for name in knob.layers)]
    free = [knob for knob in inside if knob.free] or inside
    # Groups that share keys and values stand wherever their query heads do, and elsewhere too.
    around = [knob for knob in free if all(other is knob or _tensors(other) < _tensors(knob) for other in free)]
    _refuse_fused(network, [name for knob in around for name in knob.layers] or [layer], operator)
    if len(around) == 1:
        return around[0]
    if not free and layer not in widths.layers:
        widths.find(layer)  # says which names are near
    names = ", ".join(f"{knob.name!r} ({knob.size})" for knob in (free or heads)[:8]) or "none"
    found = f"{len(free)} widths" if free else "none"
    raise UnsupportedError(
        f"{operator}: {layer!r} holds {found} that count heads{_reason(network, layer)}. Name one; in this network: "
        f"{names}."
    )


def _refuse_fused(network: Network, names: Iterable[str], operator: str) -> None:
    """Refuse torch's own attention, whose heads stand and fall with its width.

    Raises:
        UnsupportedError: All names are of such layers, of parts of them, or of what holds them.
    """
    fused = [name for name, facts in network.layers.items() if facts.heads and facts.class_name == "MultiheadAttention"]
    found = [next((held for held in fused if _near(held, name)), None) for name in names]
    if not found or found[0] is None or None in found:
        return
    raise UnsupportedError(
        f"{operator}: {found[0]!r} is a torch.nn.MultiheadAttention of {network.layers[found[0]].heads} heads, and its "
        "embed_dim is always their number times their size: while it takes and returns as many features as now, there "
        "is no other number of heads. To silence heads, which is as good as removing them for the outputs, write "
        f"gw.Zero(rate=1.0, where=gw.where(units={{{found[0]!r}: [0]}})). Heads can be added and removed where "
        "queries, keys and values have layers of their own."
    )


def _near(layer: str, name: str) -> bool:
    """Whether a layer is what is named, holds it, or lies in it."""
    return not layer or not name or f"{layer}.".startswith(f"{name}.") or f"{name}.".startswith(f"{layer}.")


def _reason(network: Network, layer: str) -> str:
    """Return what to say of heads that are mixed or shared, of weights that cannot change, and where there are none."""
    written = [knob for knob in network.structure.widths.knobs() if _is_in(knob, layer)]
    mixed = _mixed(written)
    if mixed:
        return f":{mixed}"
    sizes = [knob.size for knob in written if knob.kind == "head size"]
    if sizes:
        return f": what it writes is one head of {sizes[0]} units, which all that read it share"
    obstacle = network.structure.widths.obstacle(layer)
    if obstacle is not None:
        return f": {obstacle}"
    facts = network.layers.get(layer)
    held = any(tensor.role == "kernel" and tensor.layer.startswith(layer) for tensor in network.tensors.values())
    if facts is None or facts.kind != "attention" or held:
        return ""
    return f": {facts.class_name} has no projections, so all of what it is given is one head"


def _mixed(knobs: Iterable[Knob]) -> str:
    """Return which of some widths would count heads, and what mixes them; "" for none."""
    found = next(((knob, knob.mixed_heads) for knob in knobs if knob.mixed_heads is not None), None)
    if found is None:
        return ""
    return (
        f" {found[0].name!r} would count {found[0].size} heads, but {found[1]}: each head counts in the others' result"
    )


def _is_in(knob: Knob, layer: str) -> bool:
    return any(name == layer or name.startswith(f"{layer}.") for name in (knob.name, *knob.layers))


def _tensors(knob: Knob) -> set[str]:
    return {place.tensor for place in knob.places}


def some_heads(network: Network, noise: Noise, operator: str, added: int, least: int = 1) -> str:
    """Return the name of heads that the seed chooses among those that can change so.

    Args:
        network: The network.
        noise: The operator's noise.
        operator: Who asks, for the message.
        added: How many are to be added; below zero, removed.
        least: How many there must be.

    Raises:
        UnsupportedError: There are none; what is in the way of the first ones is said.
    """
    widths: Widths = network.structure.widths
    heads = [knob for knob in widths.knobs() if knob.kind == "heads"]
    free = [knob for knob in heads if knob.free]
    order = [knob for knob in free if knob.size >= max(least, 1 - added)]
    if free and not order:
        return max(free, key=lambda knob: knob.size).name  # the operator says what is asked too much
    stream = noise.stream("layer")
    why = f" {heads[0].name!r} cannot: {heads[0].pins[0]}." if heads and heads[0].pins else ""
    for turn in range(len(order)):
        knob = order.pop(int(uniform01(stream, turn) * len(order)))
        try:
            widths.resolve_attributes(knob, knob.size + added)
        except UnsupportedError as error:
            why = why or f" {error}"
            continue
        return knob.name
    held = [name for knob in heads for name in knob.layers]
    _refuse_fused(network, held or [name for name, facts in network.layers.items() if facts.heads], operator)
    if not heads:
        mixed = _mixed(widths.knobs())
        why = f"{mixed}." if mixed else why
    raise UnsupportedError(f"{operator}: no width of this network counts heads that can change.{why}")
