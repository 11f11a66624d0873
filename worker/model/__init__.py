"""What the programs share: the detector and its artefact, in numpy alone."""
