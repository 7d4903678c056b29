"""Keras models as test cases, and the built-in ones."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from genewright.backends.keras.copying import copy_model
from genewright.backends.keras.double_precision import double_precision
from genewright.backends.keras.float64_outputs import in_float64
from genewright.backends.keras.library import array_of, keras
from genewright.backends.keras.members import is_graph, layers_of, members_of
from genewright.conformance.cases import Case
from genewright.conformance.generators import reseeded

_NAMES = ("name", "build_config")  # of layers in a class of the user's: they count how many the process has made


class KerasCase(Case):
    """A built Keras model."""

    def fresh(self) -> Any:
        return copy_model(self.model)

    def traits(self, model: Any) -> dict[str, object]:
        traits: dict[str, object] = {"class": type(model)}
        for name, member in members_of(model).items():
            variable = member.variable
            traits[name] = (str(variable.dtype), tuple(variable.shape), bool(variable.trainable), tuple(member.names))
        for position, layer in enumerate(_layers(model)):
            about = _wiring(layer) if is_graph(layer) else () if layer is model else repr(_nameless(layer.get_config()))
            traits[f"layer {position}"] = (type(layer), bool(layer.trainable), layer.dtype_policy.name, about)
        if getattr(model, "compiled", False):
            optimizer = model.optimizer
            traits["optimizer"] = (type(optimizer), [tuple(variable.shape) for variable in optimizer.variables])
        return traits

    def content(self, model: Any) -> dict[str, bytes]:
        """Return the bytes of variables; those of the optimizer and of random generators inside too."""
        content = {name: _bytes(member.variable) for name, member in members_of(model).items()}
        for position, layer in enumerate(_layers(model)):
            for generator in layer._seed_generators:
                content[f"random state of layer {position}"] = _bytes(generator.state)
        if getattr(model, "compiled", False):
            for position, variable in enumerate(model.optimizer.variables):
                content[f"optimizer variable {position}"] = _bytes(variable)
        return content

    def places(self, model: Any) -> dict[str, object]:
        """Return which variables they are; their memory is the framework's affair (JAX gives new memory each time)."""
        return {name: id(member.variable) for name, member in members_of(model).items()}

    def reordered(self, model: Any, *, runs: bool) -> Any:
        """Reverse the variables of each layer, and the layers of all that is not run in the order of its list."""
        for layer in _layers(model):
            held = [layer._trainable_variables, layer._non_trainable_variables]
            if not isinstance(layer, keras.Sequential):
                held.append(layer._layers)
            for each in held:
                cast(Any, list).__setitem__(each, slice(None), list(reversed(each)))  # a built layer's lists are locked
        return model

    def exactly(self) -> AbstractContextManager[object]:
        return double_precision()

    def doubled(self) -> Any:
        return in_float64(self.model)


CASE = KerasCase


def networks() -> dict[str, Any]:
    """Return pairs (model, example input) by name; the global generators stay as they are."""
    with reseeded(0):
        return {name: _randomize_constants(make()) for name, make in _NETWORKS.items()}


def _dense() -> tuple[Any, Any]:
    layers = keras.layers
    parts = [
        keras.Input((5,), name="numbers"),
        layers.Dense(8, name="up"),
        layers.LayerNormalization(name="norm"),
        layers.Dense(8, activation="tanh", name="mid"),
        layers.Dense(3, name="head"),
    ]
    return keras.Sequential(parts, name="dense"), _numbers(4, 5)


def _convolutional() -> tuple[Any, Any]:
    """A residual block, a dropout, an optimizer."""
    layers = keras.layers
    image = keras.Input((6, 6, 2), name="image")
    x = layers.Conv2D(4, 3, padding="same", name="stem")(image)
    x = layers.ReLU(name="relu")(layers.BatchNormalization(name="norm")(x))
    x = layers.Add(name="sum")([x, layers.Conv2D(4, 3, padding="same", activation="relu", name="inside")(x)])
    x = layers.Dropout(0.5, seed=3, name="drop")(layers.GlobalAveragePooling2D(name="pool")(x))
    model = keras.Model(image, layers.Dense(3, name="head")(x), name="convolutional")
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), loss="mse")
    return model, _numbers(2, 6, 6, 2)


def _recurrent() -> tuple[Any, Any]:
    layers = keras.layers
    words = keras.Input((5,), dtype="int32", name="words")
    x = layers.Embedding(11, 6, name="embedding")(words)
    x = layers.LSTM(5, return_sequences=True, name="lstm")(x)
    x = layers.GRU(4, name="gru")(x)
    return keras.Model(words, layers.Dense(3, name="head")(x), name="recurrent"), np.arange(10).reshape(2, 5) % 11


def _attention() -> tuple[Any, Any]:
    """A pre-norm block."""
    layers = keras.layers
    tokens = keras.Input((5, 6), name="tokens")
    x = layers.LayerNormalization(name="before")(tokens)
    x = layers.Add(name="first")([tokens, layers.MultiHeadAttention(2, 3, name="attention")(x, x)])
    y = layers.Dense(9, activation="gelu", name="up")(layers.LayerNormalization(name="between")(x))
    x = layers.Add(name="second")([x, layers.Dense(6, name="down")(y)])
    return keras.Model(tokens, layers.Dense(3, name="head")(x), name="attention"), _numbers(2, 5, 6)


def _shared() -> tuple[Any, Any]:
    """A layer that is called twice, once in a model inside: its variables have two names."""
    layers = keras.layers
    numbers = keras.Input((6,), name="numbers")
    twice = layers.Dense(6, activation="relu", name="twice")
    parts = [keras.Input((6,), name="inside"), twice, layers.Dense(4, name="last")]
    inner = keras.Sequential(parts, name="inner")
    return keras.Model(numbers, inner(twice(numbers)), name="shared"), _numbers(4, 6)


def _nested() -> tuple[Any, Any]:
    """A model in a model, with a frozen layer."""
    layers = keras.layers
    numbers = keras.Input((5,), name="numbers")
    parts = [
        keras.Input((6,), name="inside"),
        layers.Dense(7, activation="relu", name="hidden"),
        layers.Dense(4, activation="relu", name="last"),
    ]
    frozen = layers.Dense(6, activation="relu", trainable=False, name="frozen")
    x = keras.Sequential(parts, name="inner")(frozen(numbers))
    return keras.Model(numbers, layers.Dense(3, name="head")(x), name="nested"), _numbers(4, 5)


@keras.saving.register_keras_serializable(package="genewright.conformance")
class _Own(keras.Model):
    """A class of a user's, with layers in a list."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)  # pyright: ignore[reportUnknownMemberType]
        layers = keras.layers
        self.stem = layers.Dense(6, activation="relu", name="stem")
        self.blocks = [layers.Dense(6, activation="relu", name="first"), layers.Dense(6, name="second")]
        self.head = layers.Dense(3, name="head")

    def call(self, x: Any) -> Any:
        """Return the head's outputs for x of shape (samples, 5)."""
        x = self.stem(x)
        for block in self.blocks:
            x = x + block(x)
        return self.head(x)


def _subclassed() -> tuple[Any, Any]:
    model, example = _Own(name="own"), _numbers(4, 5)
    model(example)
    return model, example


def _in(dtype: str) -> Callable[[], tuple[Any, Any]]:
    def make() -> tuple[Any, Any]:
        layers = keras.layers
        parts = [
            keras.Input((5,), name="numbers"),
            layers.Dense(4, activation="relu", dtype=dtype, name="up"),
            layers.Dense(3, dtype=dtype, name="head"),
        ]
        return keras.Sequential(parts, name=dtype), _numbers(4, 5)

    return make


_NETWORKS: dict[str, Callable[[], tuple[Any, Any]]] = {
    "Keras: dense": _dense,
    "Keras: convolutional, compiled": _convolutional,
    "Keras: recurrent": _recurrent,
    "Keras: attention": _attention,
    "Keras: a shared layer": _shared,
    "Keras: a model inside, a frozen layer": _nested,
    "Keras: subclassed": _subclassed,
    "Keras: bfloat16": _in("bfloat16"),
    "Keras: float64": _in("float64"),
}


def _numbers(*shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def _randomize_constants(pair: tuple[Any, Any]) -> tuple[Any, Any]:
    """Give every variable values of its own: zeros and ones would hide what is wrong."""
    model, example = pair
    numbers = np.random.default_rng(1)
    for name, member in members_of(model).items():
        variable = member.variable
        shape = tuple(variable.shape)
        if name.endswith(("gamma", "variance")):
            values = numbers.uniform(0.5, 1.5, shape)
        else:
            values = numbers.normal(size=shape) * (0.5 if len(shape) > 1 else 0.3)
        variable.assign(keras.ops.cast(values.astype(np.float32), variable.dtype))
    return model, example


def _layers(model: Any) -> list[Any]:
    """Return the model and its layers; by position, for Keras counts what it names in layers of its own."""
    return [model, *layers_of(model).values()]


def _wiring(model: Any) -> list[list[str]]:
    """Return which layers a Functional or Sequential model calls, depth by depth; a shared one several times."""
    nodes = (model._functional if isinstance(model, keras.Sequential) else model)._nodes_by_depth
    return [sorted(str(node.operation.name) for node in nodes[depth]) for depth in sorted(nodes)]


def _bytes(variable: Any) -> bytes:
    return np.ascontiguousarray(array_of(variable)).tobytes()


def _nameless(config: Any) -> Any:
    if isinstance(config, dict):
        kept = {key: value for key, value in cast(dict[str, Any], config).items() if key not in _NAMES}
        return {key: value if key == "dtype" else _nameless(value) for key, value in kept.items()}  # it is its name
    if isinstance(config, list | tuple):
        return [_nameless(entry) for entry in cast(list[Any], config)]
    return config
