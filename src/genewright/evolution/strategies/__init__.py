"""How the next individuals are chosen: one strategy a file, with its paper and its equations."""
