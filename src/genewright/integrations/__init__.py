"""Single libraries on top of a framework: a folder each, loaded by the framework's backend when they are imported."""
