"""One tree of exceptions; each also is the builtin that it resembles, so `except ValueError` works as people expect.

    GenewrightError
    ├── SettingError (ValueError)          a setting or an argument is out of range, unknown or does not fit the others
    │   └── ExampleError                   a sample input is missing that an operator has to see the model run on
    ├── SeedError (TypeError)              a seed is missing or cannot be one
    ├── UnknownNameError (LookupError)     no operator, layer or tensor has this name
    │   └── NoAttributeError (AttributeError)  an object or module of ours has no attribute of this name
    ├── SelectionError (LookupError)       `where` chooses nothing
    ├── UnsupportedError (TypeError)       a model, tensor, array or file of a kind that is not handled
    ├── FunctionError (ValueError)         a mutation would change outputs that its operator claims to keep
    ├── EditError (ValueError)             an operator proposes an edit that does not fit its tensor
    │   └── OperatorError                  an operator's own code fails: a fault of the operator, not of the network
    ├── DataError (ValueError)             samples or targets are missing, or do not fit the model
    ├── RecipeError (ValueError)           a recipe is damaged or incomplete
    │   ├── RecipeVersionError             it was written by a newer version
    │   └── FingerprintError               base or result is not the network that the recipe names
    ├── FileError (OSError)                a file cannot be read or written
    │   └── StoreError                     the store of a run is damaged, full, in use or of another run (evolution/)
    ├── RunError (RuntimeError)            what the library compiled, or built into a model, cannot run
    ├── EvolutionError (RuntimeError)      a run of evolution cannot go on
    ├── MissingExtraError (ImportError)    a package that an extra brings is not installed
    ├── UnificationError (ValueError)           two layouts of an axis do not fit: raised and caught by rules (widths/)
    ├── UsageError (ValueError)            the words of a command are wrong (cli/)
    └── ConformanceError (AssertionError)  an operator breaks an invariant (`gw.check_operator`)

A message says who, what was expected, what was received, and how to fix it.
"""

from __future__ import annotations


class GenewrightError(Exception):
    """The root: `except gw.GenewrightError` catches everything that the library raises on purpose."""


class SettingError(GenewrightError, ValueError):
    """A setting or an argument is out of its range, unknown, of the wrong kind, or does not fit the others."""


class ExampleError(SettingError):
    """An operator has to see the model run, and no `example` was given."""


class SeedError(GenewrightError, TypeError):
    """A seed is missing, or is not an int, a str or bytes."""


class UnknownNameError(GenewrightError, LookupError):
    """No operator, layer or tensor has the given name; the message lists near names."""


class NoAttributeError(UnknownNameError, AttributeError):
    """An object or a module of the library has no attribute of this name; the message says what to write."""


class SelectionError(GenewrightError, LookupError):
    """A `where` chooses no tensor of the network."""


class UnsupportedError(GenewrightError, TypeError):
    """A model, tensor, array or file is of a kind that cannot be handled; the message says what to do."""


class FunctionError(GenewrightError, ValueError):
    """A mutation by an operator that claims to keep the outputs would change them on this model and example."""


class EditError(GenewrightError, ValueError):
    """An operator proposes an edit that does not fit its tensor: a fault of the operator, not of the call."""


class OperatorError(EditError):
    """The code of an operator fails, or returns what is no edit or no values; the message has its line."""


class DataError(GenewrightError, ValueError):
    """Samples or targets are missing, empty, or do not fit each other or the model."""


class RecipeError(GenewrightError, ValueError):
    """A recipe is damaged, incomplete, or holds what is not a recipe."""


class RecipeVersionError(RecipeError):
    """A recipe was written by a newer version of the library."""


class FingerprintError(RecipeError):
    """The base, or the replayed result, is not the network whose fingerprint the recipe holds."""


class FileError(GenewrightError, OSError):
    """A file cannot be read (missing, truncated, hostile) or written (it exists, the disk is full)."""


class StoreError(FileError):
    """The store of a run is damaged, full, in use elsewhere, or belongs to another run; what it has is as it was."""


class EvolutionError(GenewrightError, RuntimeError):
    """A run of evolution cannot go on: no mutation applies, every individual fails, or workers do not start."""


class MissingExtraError(GenewrightError, ImportError):
    """A package that an extra of genewright brings is not installed; the message has the command."""


class RunError(GenewrightError, RuntimeError):
    """A compiled kernel, or a layer that the library built into a model, cannot run as it was called."""


class ConformanceError(GenewrightError, AssertionError):
    """An operator or a backend does not keep what `gw.check_operator` or `gw.check_backend` checks."""
