"""How the trackers of `trackers/siamstm` are trained: settings, recipes, tasks, sampler."""
