"""What of the demo differs between frameworks: what has to be installed, and how a network is trained."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import genewright as gw
from genewright_demo.console import Console

if TYPE_CHECKING:  # scikit-learn may be missing: `require_packages` says so
    from genewright_demo.digits import Digits, Seed

    Train = Callable[[Digits, Seed, Console, int], Any]
    TrainFurther = Callable[[Any, Digits, Seed, Console], Any]
    TrainBadly = Callable[[Digits, Seed, Console], Any]

_PACKAGES = {"sklearn": "scikit-learn", "matplotlib": "matplotlib", "jinja2": "Jinja2"}
_FRAMEWORKS = {"torch": ({"torch": "torch"}, "demo"), "keras": ({"keras": "keras", "h5py": "h5py"}, "demo,keras")}


@dataclass(frozen=True, kw_only=True)
class Framework:
    """How the demo trains with a framework.

    Attributes:
        name: "torch" or "keras".
        train: Trains the network, for a number of epochs.
        train_further: Trains a network a little further, in place, and returns it.
        train_badly: Trains the network at far too high a rate.
        parameters: Counts the trainable values of a network.
        example: The shape of an input, as the command takes it.
        one_thread: Within it, the framework computes on one thread, where that can be said.
        channels_last: Images are (n, 8, 8, 1).
        factory: What makes the model on the command line; None where files hold whole models.
    """

    name: str
    train: Train
    train_further: TrainFurther
    train_badly: TrainBadly
    parameters: Callable[[Any], int]
    example: str
    one_thread: Callable[[], AbstractContextManager[Any]] = nullcontext
    channels_last: bool = False
    factory: str | None = None


def require_packages(framework: str) -> None:
    """Refuse to start where a package is missing.

    Args:
        framework: "torch" or "keras".

    Raises:
        SettingError: There is no such framework.
        UnsupportedError: A package is missing; the message has the command that installs it.
    """
    if framework not in _FRAMEWORKS:
        near = difflib.get_close_matches(str(framework), _FRAMEWORKS, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise gw.SettingError(f"demo: framework is one of {', '.join(_FRAMEWORKS)}; received {framework!r}.{hint}")
    own, extra = _FRAMEWORKS[framework]
    missing = [package for module, package in {**own, **_PACKAGES}.items() if importlib.util.find_spec(module) is None]
    if missing:
        raise gw.UnsupportedError(
            f"genewright demo needs {' and '.join(missing)}, not installed here: pip install 'genewright[{extra}]'"
        )


def framework_called(name: str) -> Framework:
    """Return a framework, imported."""
    if name == "keras":
        keras: Any = importlib.import_module("genewright_demo.keras_classifier")
        return Framework(
            name=name,
            train=keras.train,
            train_further=keras.train_further,
            train_badly=keras.train_badly,
            parameters=keras.parameters,
            example="1x8x8x1",
            channels_last=True,
        )
    torch: Any = importlib.import_module("genewright_demo.torch_classifier")
    return Framework(
        name=name,
        train=torch.train,
        train_further=torch.train_further,
        train_badly=torch.train_badly,
        parameters=torch.parameters,
        example="1x1x8x8",
        one_thread=torch.one_thread,
        factory="genewright_demo.torch_classifier:DigitsClassifier",
    )
