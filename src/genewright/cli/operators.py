"""genewright operators [NAME]."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Annotated, Any

import typer

from genewright.cli.arguments import Json
from genewright.cli.operator_group import find_operator
from genewright.cli.output import Output
from genewright.cli.purposes import by_purpose
from genewright.cli.setting_options import Setting, description, settings_of
from genewright.operator import first_paragraph, registered

Name = Annotated[str | None, typer.Argument(metavar="NAME", help="An operator, for all about it.", show_default=False)]


def operators(name: Name = None, *, as_json: Json = False) -> None:
    """List the operators; with a name, show its settings, their defaults and what it does."""
    output = Output(as_json=as_json)
    if name is None:
        known = registered()
        for title, group in by_purpose().items():
            output.say(title, style="bold")
            rows = ((f"  {cls.name.replace('_', '-')}", first_paragraph(cls)) for cls in group)
            output.table(("operator", "what it does"), rows, head=False)
            output.say()
        output.say("More about one: genewright operators NAME")
        output.document({n: first_paragraph(cls) for n, cls in known.items()})
        return
    cls = find_operator(name)
    settings = settings_of(cls)
    output.say(f"{cls.__name__}  ({cls.name.replace('_', '-')} on the command line)", style="bold")
    output.say(f"\n{description(cls)}\n")
    output.table(
        ("setting", "type", "default", "what it is"),
        ([s.option, *_cells(s), s.about] for s in settings),
        prose=("default", "what it is"),
    )
    output.document(
        {
            "operator": cls.name,
            "class": f"{cls.__module__}.{cls.__qualname__}",
            "about": description(cls),
            "doc": inspect.getdoc(cls),
            "keeps": sorted(getattr(cls, "keeps", ())),
            "settings": [_form(setting) for setting in settings],
        }
    )


def _cells(setting: Setting) -> tuple[str, str]:
    return setting.kind_in_words, setting.default_in_words()


def _form(setting: Setting) -> dict[str, Any]:
    form: dict[str, Any] = {"name": setting.name, "option": setting.option, "type": setting.kind_in_words}
    if setting.default is not dataclasses.MISSING:
        form["default"] = setting.default
    return {**form, "about": setting.about}
