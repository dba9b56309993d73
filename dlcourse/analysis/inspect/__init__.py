"""What a model has learned: its predictions, attributions, attacks, maps, signals and episodes."""
