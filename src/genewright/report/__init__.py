"""Pictures of what was computed elsewhere; nothing is computed here. Each module needs matplotlib."""
