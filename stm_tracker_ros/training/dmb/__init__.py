"""How the trackers of `trackers/dmb` are trained: settings, recipes, tasks, sampler."""
