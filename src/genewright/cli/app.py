"""The application: its subcommands, its exit codes, and how an error is said."""

from __future__ import annotations

import io
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import version as version_of
from typing import Annotated, Any, cast

import typer
from rich.console import Console
from rich.text import Text

from genewright.cli.arguments import UsageError, example
from genewright.cli.compare import compare
from genewright.cli.demo import demo
from genewright.cli.diff import diff
from genewright.cli.evolve import RUN_FILE, evolve
from genewright.cli.faults import faults
from genewright.cli.flags import Command, Group
from genewright.cli.knobs import knobs
from genewright.cli.mutate import MutateGroup
from genewright.cli.neurons import neurons
from genewright.cli.operators import operators
from genewright.cli.output import log_shown, one_document, plugins_warned_of, write_document
from genewright.cli.plan import PlanGroup
from genewright.cli.python_file import Load, load_python_file
from genewright.cli.replay import replay
from genewright.cli.report import report
from genewright.cli.resume import resume
from genewright.cli.score import score
from genewright.cli.show import show
from genewright.cli.survivors import survivors
from genewright.errors import GenewrightError
from genewright.operators.architecture.widen import Widen
from genewright.operators.weights.gaussian_noise import GaussianNoise

DONE, REFUSED, USAGE = 0, 1, 2
_TRACEBACK = "--traceback"
_TEXTS = frozenset({"--help", "-h", "--version"})  # what they print is what was asked for, also beside --json

_ABOUT = """
Mutate neural networks: seeded, replayable bit for bit, checked against the original.

A MODEL is a .safetensors, .pt, .pth, .bin, .ckpt, .keras or .h5 file, or what makes a module: package.module:factory or
file.py:factory (with --weights FILE, --model-arg NAME=VALUE), hf:FOLDER, timm:NAME, torchvision:NAME.

Exit codes: 0 done; 1 refused, or not ok (compare), or different (diff); 2 a usage error.

With --json, standard output holds exactly one JSON document; an error is {"error": {"type": ..., "message": ...}}.
"""

# What typer raises for words it does not understand; of that class only the child is public.
_NotUnderstood = cast(type[Exception], typer.BadParameter.__base__)


class Subcommands(Group):
    """The subcommands, in the order in which a newcomer meets them."""

    def list_commands(self, ctx: Any) -> list[str]:
        order = (
            "demo",
            "operators",
            "plan",
            "mutate",
            "replay",
            "compare",
            "show",
            "knobs",
            "neurons",
            "diff",
            "score",
            "survivors",
            "faults",
            "evolve",
            "resume",
            "report",
        )
        return sorted(super().list_commands(ctx), key=order.index)


def application() -> typer.Typer:
    """Return the typer application with all subcommands."""
    app = typer.Typer(
        name="genewright",
        cls=Subcommands,
        help=_ABOUT,
        epilog=example(
            "genewright demo",
            "genewright mutate gaussian-noise net.safetensors --std 0.1 --seed 246 --out mutant.safetensors",
        ),
        rich_markup_mode="markdown",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    app.command(cls=Command, epilog=example("genewright demo --out genewright-demo"))(demo)
    for group in (MutateGroup, PlanGroup):
        app.add_typer(
            typer.Typer(cls=group, rich_markup_mode="markdown"),
            name=group.verb,
            help=group.about,
            epilog=example(group.example_of(GaussianNoise), group.example_of(Widen)),
            subcommand_metavar="OPERATOR MODEL [OPTIONS]",
        )
    app.command(
        cls=Command,
        epilog=example(
            "genewright replay mutant.json net.safetensors --out again.safetensors",
            "genewright replay mutant.safetensors net.safetensors --out again.safetensors",
        ),
    )(replay)
    app.command(
        cls=Command,
        epilog=example(
            "genewright compare net.safetensors mutant.safetensors --model my.models:Net --data held_out.npz",
            "genewright compare my.models:Net my.models:Net --original-weights net.pt --mutant-weights mutant.pt "
            "--data held_out.npz --tolerance 1e-6",
        ),
    )(compare)
    app.command(
        cls=Command,
        epilog=example("genewright show mutant.safetensors", "genewright show my.models:Net --weights net.pt --json"),
    )(show)
    app.command(
        cls=Command,
        epilog=example(
            "genewright knobs my.models:Net --example 1x3x32x32",
            "genewright knobs my.models:Net --example input_ids=1x7:int64 --layer 'blocks.0.*' --json",
        ),
    )(knobs)
    app.command(
        cls=Command,
        epilog=example(
            "genewright neurons my.models:Net held_out.npz --weights net.pt --out neurons.svg",
            "genewright neurons my.models:Net held_out.npz --filter 'dormancy < 0.025' --by dormancy",
        ),
    )(neurons)
    app.command(cls=Command, epilog=example("genewright diff net.safetensors mutant.safetensors"))(diff)
    app.command(
        cls=Command,
        epilog=example(
            "genewright score my.models:Net test_set.npz --weights net.pt --seed 1 --out report.html",
            "genewright score my.models:Net test_set.npz --weights net.pt --seed 1 --count 1000 --store runs/a",
        ),
    )(score)
    app.command(
        cls=Command,
        epilog=example(
            "genewright faults my.models:Net test_set.npz --weights net.pt --seed 1",
            "genewright faults my.models:Net test_set.npz --fault stuck-at-1 --bits exponent --where 'head.*' "
            "--margin 0.05 --confidence 0.95 --by bit,layer --seed 1 --out faults.json",
        ),
    )(faults)
    app.command(
        cls=Command,
        epilog=example(
            "genewright survivors report.jsonl", "genewright survivors report.jsonl --recipe 17 --out survivor.json"
        ),
    )(survivors)
    app.command(
        cls=Command,
        epilog=f"{example('genewright evolve run.toml', 'genewright evolve run.toml --force --json')}\n\n"
        f"A whole file (the guide on evolution has all entries):\n{RUN_FILE}",
    )(evolve)
    app.command(cls=Command, epilog=example("genewright resume run.db", "genewright resume run.db --generations 200"))(
        resume
    )
    app.command(
        cls=Command,
        epilog=example(
            "genewright report run.db",
            "genewright report run.db --model my.models:Net --weights net.safetensors --out page.html --force",
        ),
    )(report)
    app.command(cls=Command, epilog=example("genewright operators", "genewright operators gaussian-noise"))(operators)
    return app


def _say_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"genewright {version_of('genewright')}")
        raise typer.Exit


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: The words after ``genewright``; by default those that this process was started with.

    Returns:
        The exit code: 0 done, 1 refused or not ok, 2 a usage error.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    whole_story = _TRACEBACK in words
    words = [word for word in words if word != _TRACEBACK]
    as_json = "--json" in words and not _TEXTS & set(words)
    _replace_what_cannot_be_printed()
    command: Any = typer.main.get_command(application())
    if words in ([], ["mutate"], ["plan"]):
        command.main([*words, "--help"], prog_name="genewright", standalone_mode=False)
        return USAGE if words else DONE
    try:
        shown = log_shown(shown=sys.stderr.isatty() and not as_json)
        with plugins_warned_of(), shown, one_document(as_json=as_json):
            code = command.main(words, prog_name="genewright", standalone_mode=False, obj=words)
        sys.stdout.flush()
    except GenewrightError as error:
        if whole_story:
            sys.stderr.write("".join(traceback.format_exception(error)))
        kind = "UsageError" if isinstance(error, UsageError) else type(error).__name__
        _say_error(words, kind, str(error))
        return USAGE if isinstance(error, UsageError) else REFUSED
    except _NotUnderstood as error:
        not_understood = cast(Any, error)
        path = not_understood.ctx.command_path if not_understood.ctx else "genewright"
        _say_error(words, "UsageError", f"{not_understood.format_message().rstrip('.?')}. See: {path} --help")
        return USAGE
    except OSError as error:  # standard output: all files' errors are GenewrightErrors
        with suppress(OSError):
            sys.stdout.close()  # else Python tries once more when it exits, and complains
        if not isinstance(error, BrokenPipeError):  # a reader that has seen enough, such as head, needs no message
            _say_error([], "OSError", f"standard output cannot be written ({error.strerror}).")
        return REFUSED
    return code if isinstance(code, int) else DONE


def _root(
    ctx: typer.Context,
    load: Load = None,
    *,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_say_version, help="Print the version.")
    ] = False,
    traceback: Annotated[
        bool, typer.Option(_TRACEBACK, help="Show an error with its traceback; anywhere in the command.")
    ] = False,
) -> None:
    """Keep subcommands subcommands, and the words that were typed for messages."""
    for path in load or ():
        load_python_file(path)


def _say_error(words: Sequence[str], kind: str, message: str) -> None:
    """Say an error in one line, and as the JSON document where machines read."""
    line = " ".join(message.split())
    if "--json" in words:
        write_document({"error": {"type": kind, "message": line}})
    Console(stderr=True).print(Text.assemble(("error: ", "bold red"), line), soft_wrap=True)


def _replace_what_cannot_be_printed() -> None:
    """Let a terminal that knows only ASCII show question marks instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
