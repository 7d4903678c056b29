"""Programs that run inside a fresh environment, where neither pytest nor this repository is to be found."""
