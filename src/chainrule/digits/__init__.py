"""Digit preprocessing: from a photo or drawing to images of MNIST's form."""
