"""Docking poses of the shipped complexes, for the demo and for benchmarks."""
