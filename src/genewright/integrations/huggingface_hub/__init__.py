"""huggingface_hub: folders of models that derive from `PyTorchModelHubMixin`."""

from __future__ import annotations

from genewright.integrations.described import Unsaid
from genewright.integrations.huggingface_hub.folder import is_saved_as_folder

INTEGRATION = Unsaid(is_saved_as_folder, "save_pretrained", "gw.load({name}, folder)")
