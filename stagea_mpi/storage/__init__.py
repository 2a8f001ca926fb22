"""Graphs to HDF5 and back: packed.h5, whose columns `schema` declares, and graphs.h5, as DeepRank-Ab reads it."""
