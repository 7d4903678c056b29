"""Evolution: mutations driven by what they are good for. gw.evolve is in `evolve.py`, one run in `driver.py`."""
