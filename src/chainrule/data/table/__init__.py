"""Tables of measurements: columns of numbers and words become a network's inputs."""
