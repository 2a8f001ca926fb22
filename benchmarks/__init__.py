"""Benchmarks: what a model costs, by stage, on one rank and on several. Never part of the tests: machines are noisy."""
