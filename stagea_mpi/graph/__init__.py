"""A complex to its interface graph, clusters and flags: arrays in, arrays out."""
