"""The notebook's face: a network is fitted in one call, and its history shows itself."""
