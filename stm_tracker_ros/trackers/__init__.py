"""One folder a tracker: config, network, tracker, loss."""
