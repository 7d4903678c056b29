"""A loader in the folder of a model whose config cannot say what has changed: its `auto_map` names it.

``AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=True)`` then makes the layers again from the recipe.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

LOADER = "modeling_genewright"
_CLASS = "Grown"
_TEXT = '''"""Makes the layers of this folder's model again from recipe.json, by genewright (pip install genewright)."""

import os

from transformers import {base}


class {name}({base}):
    """The model of this folder; the config alone cannot say its layers."""

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path, *arguments, dtype=None, torch_dtype=None, **more):
        import genewright

        refused = [key for key in ("quantization_config", "device_map") if more.get(key) is not None]
        if refused:
            raise ValueError(f"{{refused[0]}} is for models that their config describes")
        folder = os.fspath(pretrained_model_name_or_path)
        if not os.path.isdir(folder):
            from huggingface_hub import snapshot_download

            folder = snapshot_download(folder, revision=more.get("revision"))
        model = genewright.load(folder)
        wanted = dtype if dtype is not None else torch_dtype
        return model if wanted in (None, "auto") else model.to(wanted)
'''


def write_loader(model: Any, folder: Path) -> bool:
    """Write the loader beside a folder's config, and name it there.

    Args:
        model: The model, of a class of transformers.
        folder: Where its config.json lies.

    Returns:
        Whether it was written: not where no ``AutoModel...`` class stands for the model's.
    """
    kind, config = cast("Any", type(model)), cast("Any", type(model.config))
    autos = _autos_of(kind, config)
    if not autos:
        return False
    file = folder / "config.json"
    described: dict[str, Any] = json.loads(file.read_text())
    others = cast("dict[str, Any]", described.get("auto_map") or {})
    described["auto_map"] = {**others, **dict.fromkeys(autos, f"{LOADER}.{_CLASS}")}
    file.write_text(json.dumps(described, indent=2, sort_keys=True) + "\n")
    (folder / f"{LOADER}.py").write_text(_TEXT.format(base=type(model).__name__, name=_CLASS))
    return True


def forget_loader(config: Any) -> None:
    """Take the loader's name off a config in memory: what it is saved into has a loader of its own, or none."""
    named: Any = getattr(config, "auto_map", None)
    if isinstance(named, dict):
        entries = cast("dict[str, Any]", named).items()
        others = {key: value for key, value in entries if f"{LOADER}." not in str(value)}
        if others:
            config.auto_map = others
        else:
            del config.auto_map


def _autos_of(cls: type, config: type) -> list[str]:
    """Return the names of the ``AutoModel...`` classes that make models of a class."""
    import transformers.models.auto.modeling_auto as autos

    found: list[str] = []
    for name, auto in vars(autos).items():
        mapping: Any = getattr(auto, "_model_mapping", None) if name.startswith("AutoModel") else None
        if mapping is not None and config in mapping:
            made = mapping[config]
            if cls in (made if isinstance(made, tuple) else (made,)):
                found.append(name)
    return sorted(found)
