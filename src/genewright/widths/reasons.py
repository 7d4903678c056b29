"""Why a width cannot change, or what makes its units depend on each other: an enumeration, with a sentence for each.

Code asks for the cause; people read the words, which are made of the cause's sentence, a detail and the place.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, unique


@unique
class Cause(Enum):
    """What a reason is; the value is its sentence, with {} where the detail stands (an operation, as a rule).

    Causes of mixing come first, for operators ask about them; then what pins.
    """

    AVERAGED = "{} averages over it"
    """A mean, or the mean of squares around it: a norm written out."""
    CONTRACTED = "{} sums over it without weights"
    """A product of two tensors that are computed, as that of queries and keys."""
    SUMMED = "{} adds up its entries"
    SOFTMAX = "{} runs over it, so that each entry depends on all"
    NORMALISED = "{} normalises over it"
    REDUCED = "{} runs over it"
    SLID = "{} slides along it"
    ORDERED = "{} goes along it, and the order of its entries matters"
    MASKED = "a mask looks at all of its entries"
    UNKNOWN_ACTIVATION = "the activation {} may look across it"

    INPUT = "it is a length of the model's input"
    OUTPUT = "it is a length of the model's output"
    NESTED_INPUT = "it is a length of the input of {}, inside a subclassed model"
    NESTED = "it is a length inside a model that {} holds"
    CONSTANT = "{} has this length"
    NOT_IN_STATE = "a buffer that is not part of the state has this length"
    SPACE = "it is a length of an image or a sequence"
    PREPARED = "it is prepared data, {}"
    PADDING = "it is padding, or a padded length"
    WINDOW = "it is the size of a kernel or of a window"
    GROUP_CHANNEL = "it is the one channel of a group"
    DEPTH_MULTIPLIER = "it is a depth multiplier"
    COUNT = "it counts {}"
    SCALE = "the scale of the scores follows it"

    LITERAL_SIZE = "{} says its length as a number"
    LOOKED_UP = "its entries are looked up by number"
    WRITTEN = "its entries are written by number"
    NUMBERED = "{} says which of its entries it is by number"
    INDEX = "its entries say what is read or written where"
    TAKEN = "{} of it is taken"
    CUT_ACROSS = "entries {} are cut out across its layout"
    DIAGONAL = "entries on one side of the diagonal are kept"
    COORDINATES = "{} finds its entries by coordinates"
    VALUES = "{} looks at the values of its entries"
    FROM_VALUES = "its length comes from values"
    ONE_ENTRY = "its one entry is {}"
    SHARED = "one {} is shared along it"
    SQUEEZED = "axes of length one are left out"
    COMPLEX = "its two entries are one complex number"
    GROUPED = "the {} groups of a norm do not end where the pieces do that are laid side by side in it"
    RESHAPED = "a reshape cuts across it"
    LAYOUTS = "{} meets two layouts that do not fit"

    REPARAMETRIZED = "its weights are not its own: {}"
    SPECTRAL = "its kernel is divided by its largest singular value"
    NOT_PLAIN = "its {} is not a plain one"
    RECURRENT = "the recurrent state {}"
    CALLED_OTHERWISE = "no rule covers how it is called: {}"
    RULE_MISFIT = "the rule of {} does not fit here"
    UNKNOWN_OPERATION = "no rule says what {} does to widths"
    TRIED = "one unit more was tried: {}"
    NONLINEAR = "{} comes before the norm"
    OTHER = "{}"
    """In the words of a rule of your own."""


@dataclass(frozen=True)
class Reason:
    """Why a width cannot change, or what happens to it.

    Attributes:
        cause: What it is; code asks for this.
        detail: What stands in the cause's sentence, such as the operation's name; "" where that has no place for it.
        where: The user's file and line, and the layer.
        layer: The layer that was running.
        hint: What to do about it.

    Raises:
        RuntimeError: The cause's sentence asks for a detail and there is none, or the other way round.

    Example:
        >>> str(Reason(Cause.AVERAGED, "aten.mean", "net.py:7 in norm"))
        'aten.mean averages over it (net.py:7 in norm)'
    """

    cause: Cause
    detail: str = ""
    where: str = ""
    layer: str = ""
    hint: str = ""

    def __post_init__(self) -> None:
        if ("{}" in self.cause.value) != bool(self.detail):
            raise RuntimeError(  # no ValueError: that is how a rule says that it does not fit
                f"The sentence of Cause.{self.cause.name} is {self.cause.value!r}; received the detail {self.detail!r}."
            )

    @property
    def text(self) -> str:
        """Return the words, without the place."""
        words = self.cause.value.format(self.detail)
        return f"{words}. {self.hint}" if self.hint else words

    def __str__(self) -> str:
        return f"{self.text} ({self.where})" if self.where else self.text
