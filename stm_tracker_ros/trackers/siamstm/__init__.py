"""SiamSTM: "Spatio-Temporal Matching for Siamese Visual Tracking"; see `tracker.py` for what differs from the paper."""
