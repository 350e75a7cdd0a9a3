"""File readers: IDX, gzip, npz, pickles, CSV and image folders, each safe with hostile files."""
