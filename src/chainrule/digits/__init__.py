"""Digit preprocessing: from a photo or drawing to images in MNIST's format."""
