"""How the trackers of `trackers/dmv` are trained: settings, recipes, tasks."""
