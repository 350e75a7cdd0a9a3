"""File readers: IDX, gzip, npz, pickles, CSV and image folders, each hardened to hostile files."""
