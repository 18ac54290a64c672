"""Sequences and pictures, read the same way for training and evaluation."""
