"""timm: folders as `timm.models.save_for_hf` writes them."""

from __future__ import annotations

from genewright.integrations.described import Unsaid
from genewright.integrations.timm.folder import is_saved_as_folder

INTEGRATION = Unsaid(is_saved_as_folder, "timm.models.save_for_hf", "gw.load(folder)")
