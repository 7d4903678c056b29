"""What the units of a torch module put out, seen while it runs."""

from genewright.backends.torch.observing.observer import TorchObserver as TorchObserver
