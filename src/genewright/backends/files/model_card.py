"""The model card of a mutant: how it was made, and how it is loaded and made again."""

from __future__ import annotations

from genewright.recipe import Recipe


def model_card(
    recipe: Recipe,
    *,
    title: str,
    base: str = "",
    note: str = "",
    library: str = "transformers",
    call: str = "gw.load(folder)",
) -> str:
    """Return a model card in Markdown, with the front matter that hubs read.

    Args:
        recipe: How the mutant was made.
        title: What to call it.
        base: The hub's name of the base model, where it is known.
        note: How it has to be loaded, where its config alone does not say it.
        library: The library that the model is of; "" for none.
        call: What loads it.
    """
    front = ["---", *([f"library_name: {library}"] if library else []), "tags:", "- genewright", "- mutant"]
    front += [f"base_model: {base}"] if base else []
    lines = [*front, "---", "", f"# {title}", "", "A mutant, made by Genewright:", ""]
    for step in recipe.nodes:
        settings = ", ".join(
            f"{name}={value!r}" for name, value in step.named.get("settings", {}).items() if value != []
        )
        lines.append(f"- `{step.name}({settings})`, seed `{step.seed!r}`")
    lines += [
        "",
        f"Base: `{recipe.base}`.",
        f"Result: `{recipe.result}`.",
        "The whole recipe is in `recipe.json`; on the same base it gives the same bytes again:",
        "",
        "```python",
        "import genewright as gw",
        "",
        'again = gw.replay(gw.Recipe.load("recipe.json"), base)',
        "```",
        "",
    ]
    if note:
        lines += ["## How to load it", "", note, "", "```python", f"model = {call}", "```", ""]
    return "\n".join(lines)
