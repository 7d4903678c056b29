"""Runs of one torch module on one batch, again and again, as some of its tensors change and change back."""

from genewright.backends.torch.reruns.rerun import TorchRerun

__all__ = ["TorchRerun"]
