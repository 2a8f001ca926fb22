"""run.yaml: its values, its paths, and the run that it asks for."""
