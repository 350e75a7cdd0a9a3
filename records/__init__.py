"""What each recipe reaches, over seeds, beside what it promises; see `python -m records --help`."""
