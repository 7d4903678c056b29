"""EinsumDense: what its equation says of every axis."""

from __future__ import annotations

from genewright.backends.keras.library import keras
from genewright.backends.keras.widths.propagation import RuleContext, Value, rule
from genewright.backends.keras.widths.rules.activation import activated
from genewright.widths.axes import Axis, size_of
from genewright.widths.reasons import Cause


@rule(keras.layers.EinsumDense)
def einsum(step: RuleContext) -> list[Value]:
    """Read y = activation(einsum(equation, x, kernel) + bias).

    A letter of input and kernel alone is summed over: the kernel reads it. One of kernel and output alone is written.
    One of all three is taken along, such as the heads of "abhd,hde->abhe".
    """
    kernel = step.parameter("kernel")
    x = step.inputs[0]
    terms = _letters(str(step.layer.equation), len(x.axes))
    if kernel is None or terms is None or "lora_kernel_a" in step.tensors:
        return step.pinned(Cause.NOT_PLAIN, "kernel or its equation")
    given, held, made = terms
    known = dict(zip(given, x.axes, strict=True))
    for place, letter in enumerate(held):
        if letter in known:
            step.join(known[letter], kernel[place])
        if letter in known and letter in made:
            step.mark("kernel", place, "carrier" if len(held) == 1 else "group")
        else:
            step.mark("kernel", place, "reader" if letter in known else "writer")
        known.setdefault(letter, kernel[place])
    for letter in given:
        if letter not in held and letter not in made:
            step.mix(known[letter], Cause.SUMMED, "the equation")
    values = Value(tuple(known[letter] for letter in made))
    _carried(step, made, values)
    _bound(step, made, known)
    return activated(step, [values])


def _letters(equation: str, rank: int) -> tuple[str, str, str] | None:
    """Return the letters of input, kernel and output, with digits for the axes that an ellipsis stands for.

    None where a letter comes twice in one term, which is a diagonal.
    """
    left, _, made = equation.replace(" ", "").partition("->")
    given, _, held = left.partition(",")
    elided = "".join(map(str, range(rank - len(given.replace("...", "")))))
    given, made = given.replace("...", elided), made.replace("...", elided)
    if any(len(set(term)) != len(term) for term in (given, held, made)) or len(given) != rank:
        return None
    return given, held, made


def _carried(step: RuleContext, made: str, value: Value) -> None:
    """Let the bias follow: it has the last axes of the output, with ones for those that are not in bias_axes."""
    bias = step.parameter("bias")
    for place in range(-len(bias or ()), 0):
        axis: Axis = (bias or [])[place]
        if made[place] in str(step.layer.bias_axes):
            step.carry("bias", value.axes[place], place)
        else:
            step.pin(axis, Cause.SHARED, "bias")


def _bound(step: RuleContext, made: str, known: dict[str, Axis]) -> None:
    """Bind the lengths in the config's output_shape: of the output's letters, the batch left out."""
    letters = [letter for letter in made if not letter.isdigit()]
    if not made[0].isdigit():
        letters = letters[1:]
    for place, (letter, size) in enumerate(zip(letters, step.layer.partial_output_shape, strict=True)):
        if size is not None and size == size_of(known[letter]):
            step.bind(f"output_shape.{place}", known[letter])
