"""Layers that prepare data: categories, text, images and sound. What goes through them keeps its lengths."""

from __future__ import annotations

from genewright.backends.keras.library import keras
from genewright.backends.keras.widths.propagation import RuleContext, Value, rule
from genewright.widths.reasons import Cause

_CATEGORIES = (
    "CategoryEncoding", "Discretization", "HashedCrossing", "Hashing", "IntegerLookup", "StringLookup",
    "TextVectorization",
)  # fmt: skip
_IMAGES = (
    "AugMix", "AutoContrast", "ContrastLimitedAdaptiveHistogramEqualization", "CutMix", "Equalization", "MixUp",
    "RandAugment", "RandomBrightness", "RandomColorDegeneration", "RandomColorJitter", "RandomContrast", "RandomCrop",
    "RandomElasticTransform", "RandomErasing", "RandomFlip", "RandomGaussianBlur", "RandomGrayscale", "RandomHue",
    "RandomInvert", "RandomPerspective", "RandomPosterization", "RandomRotation", "RandomSaturation", "RandomSharpness",
    "RandomShear", "RandomTranslation", "RandomZoom", "Solarization",
)  # fmt: skip
_SOUND = ("MelSpectrogram", "STFTSpectrogram")


def _kinds(names: tuple[str, ...]) -> list[type]:
    """Return those that this version of Keras has."""
    return [getattr(keras.layers, name) for name in names if hasattr(keras.layers, name)]


@rule(*_kinds(_CATEGORIES))
def categories(step: RuleContext) -> list[Value]:
    """Turn categories or text into numbers."""
    return step.pinned(Cause.PREPARED, "a number of categories or of words")


@rule(*_kinds(_IMAGES))
def images(step: RuleContext) -> list[Value]:
    """Change images, when training."""
    return step.pinned(Cause.PREPARED, "a length of an image, colours included")


@rule(*_kinds(_SOUND))
def sound(step: RuleContext) -> list[Value]:
    """Turn sound into frequencies."""
    return step.pinned(Cause.PREPARED, "a length of a spectrogram")
