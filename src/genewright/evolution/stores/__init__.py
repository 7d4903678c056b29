"""Where a run is kept: in memory, or in a database that a killed run goes on from."""
