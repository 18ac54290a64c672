"""How the trackers of `trackers/stmtrack` are trained: settings, recipes, tasks, sampler."""
