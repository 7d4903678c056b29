"""What MkDocs calls while it builds the site: generated pages, and links that lead out of docs/."""

from __future__ import annotations

import posixpath
import re
import sys
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT)]

from docs.building import drawing, gallery, notebooks, reference

HOME = "https://github.com/genewright/genewright"
_ABOVE = re.compile(r"\]\(((?:\.\./)*)([^):#\s]+)((?:#[^)]*)?)\)")
_FROM_ROOT = {"changelog.md": "CHANGELOG.md", "contributing.md": "CONTRIBUTING.md", "security.md": "SECURITY.md"}


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that nobody writes by hand."""

    def add(uri: str, content: str | bytes) -> None:
        files.append(File.generated(config, uri, content=content))

    add("index.md", _from_root("README.md"))
    for uri, name in _FROM_ROOT.items():
        add(uri, _from_root(name))
    shown = gallery.entries()
    add("operators/index.md", gallery.index(shown))
    for one in shown:
        add(f"operators/{one.page}", gallery.page(one))
        add(f"operators/{one.picture}", drawing.draw(drawing.recorded(one.example, one.cls.__name__)))
    filled = reference.pages()
    add("reference/index.md", reference.index(filled))
    for name, names in filled.items():
        add(f"reference/{name}.md", reference.page(reference.PAGES[name][0], names))
    add("notebooks/index.md", notebooks.index())
    for name in notebooks.TITLES:
        page, pictures = notebooks.as_page(name)
        add(f"notebooks/{name}.md", page)
        for picture, content in pictures.items():
            add(f"notebooks/{picture}", content)
    _expand(
        config.nav,
        {
            "notebooks/": ["notebooks/index.md", *(f"notebooks/{name}.md" for name in notebooks.TITLES)],
            "operators/": [
                "operators/index.md",
                *(
                    {title: [f"operators/{one.page}" for one in shown if one.room == room]}
                    for room, title in gallery.ROOMS.items()
                ),
            ],
            "reference/": ["reference/index.md", *(f"reference/{name}.md" for name in filled)],
        },
    )
    return files


def _expand(nav: list[dict[str, Any]], sections: dict[str, list[Any]]) -> None:
    """Put the generated pages into the navigation, where it names their folder."""
    for entry in nav:
        for title, target in entry.items():
            if isinstance(target, str) and target in sections:
                entry[title] = sections.pop(target)
    if sections:
        raise ValueError(f"The navigation of mkdocs.yml lacks {', '.join(sections)}.")


def _from_root(name: str) -> str:
    """Return a page that stands beside docs/, with its links as seen from within."""
    text = (ROOT / name).read_text()
    text = text.replace("](docs/notebooks)", "](notebooks/index.md)").replace("](docs/", "](")
    for uri, root in _FROM_ROOT.items():
        text = text.replace(f"]({root})", f"]({uri})")
    return re.sub(
        r"\]\(([A-Za-z.]+)\)",
        lambda found: f"]({_outside(found[1])})" if (ROOT / found[1]).exists() else found[0],
        text,
    )


def _outside(path: str) -> str:
    """Return where the repository shows a file or folder."""
    return f"{HOME}/{'tree' if (ROOT / path).is_dir() else 'blob'}/main/{path}"


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Let links to what is in the repository, but not on the site, lead to the repository."""
    folder = posixpath.dirname(page.file.src_uri)

    def led(found: re.Match[str]) -> str:
        up, target, anchor = found.groups()
        uri = posixpath.normpath(posixpath.join("docs", folder, up + target))
        if uri.startswith("docs/") or not (ROOT / uri).exists():
            return found[0]
        inside = next((uri_ for uri_, root in _FROM_ROOT.items() if root == uri), None)
        if inside:
            return f"]({posixpath.relpath(inside, folder or '.')}{anchor})"
        return f"]({_outside(uri)}{anchor})"

    return _ABOVE.sub(led, markdown)
