"""The policy that all trackers share: where to look, who is the target, is it there, how large it is."""
