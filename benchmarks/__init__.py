"""Benchmarks: what each part of a model's way costs beside the programs whose numbers it gives (`parts`), numbering
(`numbering`), and whole runs on one rank and on several (`runs`). What they cost is never tested: machines are noisy.
"""
