"""Atoms and residues: the names that programs give them, the alphabet of the graphs, and what is near what."""
