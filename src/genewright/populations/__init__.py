"""Many individuals of one base, evaluated together: `gw.population` and `gw.evaluate`."""
