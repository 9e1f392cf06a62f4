"""How networks learn: data, recipes, one trial from seed to outcome, and studies of many."""
