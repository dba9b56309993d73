"""Arrays in, figure out; no model, no learner and no training."""
