"""Data: images and labels from any file, or from a data set's name."""
