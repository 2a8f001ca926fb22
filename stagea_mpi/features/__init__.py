"""Kernels of the graph's features: arrays in, arrays out."""
