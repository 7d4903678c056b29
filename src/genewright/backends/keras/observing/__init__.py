"""What the units of a Keras model put out, seen while its graph runs."""

from genewright.backends.keras.observing.observer import KerasObserver as KerasObserver
