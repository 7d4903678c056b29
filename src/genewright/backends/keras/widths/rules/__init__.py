"""Rules of how layers treat axes, one family a file."""
