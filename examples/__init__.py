"""Real generative pipelines that run offline; each coalition is truly re-trained and re-run."""
