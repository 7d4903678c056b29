"""A group of subcommands, one for each registered operator, made when it is asked for."""

from __future__ import annotations

import inspect
from abc import abstractmethod
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import typer

from genewright.cli.arguments import Model, ModelArgs, UsageError, Weights, example, missing_option
from genewright.cli.donors import Donors
from genewright.cli.example import Example, cannot_run
from genewright.cli.factories import is_factory
from genewright.cli.flags import Command, Group
from genewright.cli.purposes import by_purpose, purpose_of
from genewright.cli.python_file import is_python_file, operator_of_file
from genewright.cli.setting_options import description, operator_from_options, parameters
from genewright.errors import ExampleError
from genewright.names import did_you_mean, snake_case
from genewright.operator import AnyOperator, Operator, Registered, first_paragraph, registered
from genewright.seeding import Seed

_SEED = typer.Option(
    "--seed",
    metavar="SEED",
    help="Any integer or text; the same seed gives the same bytes, anywhere. Required.",
    show_default=False,
)


class OperatorGroup(Group):
    """``genewright VERB OPERATOR MODEL ...``.

    Attributes:
        verb: The name of the group.
        about: Its help text.
    """

    verb: ClassVar[str]
    about: ClassVar[str]

    @classmethod
    @abstractmethod
    def options(cls) -> list[inspect.Parameter]:
        """Return the options that every operator has under this verb."""

    @classmethod
    @abstractmethod
    def perform(cls, operator: AnyOperator, seed: Seed, given: Mapping[str, Any]) -> None:
        """Do what the verb says with an operator and a seed."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [_typed(cls.name) for group in by_purpose().values() for cls in group]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        return self._command(find_operator(cmd_name))

    def _command(self, cls: type[Registered]) -> Any:
        name = _typed(cls.name)

        def call(ctx: typer.Context, **given: Any) -> None:
            if given["seed"] is None:
                raise missing_option(ctx, "--seed", "without one nobody can repeat the mutation", "246")
            try:
                self.perform(operator_from_options(cls, given), read_seed(given["seed"]), given)
            except ExampleError as error:
                if not is_factory(given["model"]):
                    raise cannot_run(given["model"]) from error
                why = f"{name} has to see the model run once"
                raise missing_option(ctx, "--example", why, "1x3x224x224") from error

        keywords = [
            inspect.Parameter("model", inspect.Parameter.KEYWORD_ONLY, annotation=Model),
            *parameters(cls),
            _option("seed", Annotated[str | None, _SEED], None),
            _option("weights", Weights, None),
            _option("model_arg", ModelArgs, None),
            _option("example", Example, None),
            _option("donors", Donors, None),
            *self.options(),
        ]
        context = inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
        call.__signature__ = inspect.Signature([context, *keywords])  # type: ignore[attr-defined]
        call.__annotations__ = {parameter.name: parameter.annotation for parameter in [context, *keywords]}
        single = typer.Typer(add_completion=False, rich_markup_mode="markdown")
        single.command(
            cls=Command,
            name=name,
            help=description(cls),
            short_help=first_paragraph(cls),
            rich_help_panel=purpose_of(cls),
            epilog=example(self.example_of(cls)),
        )(call)
        return typer.main.get_command(single)

    @classmethod
    def example_of(cls, operator: type[Registered]) -> str:
        """Return a command of this verb that can be pasted."""
        grows = issubclass(operator, Operator) and "shape" not in operator.keeps
        model = "my.models:Net --weights net.pt --example 1x3x32x32" if grows else "net.safetensors"
        return f"genewright {cls.verb} {_typed(operator.name)} {model} --seed 246"


def find_operator(word: str) -> type[Registered]:
    """Return the operator that a word names: gaussian-noise, gaussian_noise, GaussianNoise or ./file.py:GaussianNoise.

    Raises:
        UsageError: There is none; the message has the nearest.
    """
    if is_python_file(word):
        return operator_of_file(word)
    known = registered()
    for name in (word.replace("-", "_"), snake_case(word)):
        if name in known:
            return known[name]
    near = did_you_mean(word.replace("_", "-"), map(_typed, known))
    raise UsageError(f"No operator is called {word!r}. {near} List them: genewright operators")


def read_seed(text: str) -> Seed:
    """Read a seed as it is typed: an integer where it is one, else text.

    >>> read_seed("-7"), read_seed("run 7")
    (-7, 'run 7')

    Raises:
        UsageError: The integer has thousands of digits.
    """
    digits = text.removeprefix("-").removeprefix("+")
    if not (digits.isascii() and digits.isdigit()):
        return text
    try:
        return int(text)
    except ValueError:  # Python reads no longer ones
        raise UsageError(
            f"--seed: an integer of {len(digits):,} digits is too long. Take one of at most 4,000."
        ) from None


def _typed(name: str) -> str:
    return name.replace("_", "-")


def _option(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
