"""Programs run on demand on the artefact: what else a latent space is good for."""
