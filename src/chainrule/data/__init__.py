"""Data: from any file or name to images and labels."""
