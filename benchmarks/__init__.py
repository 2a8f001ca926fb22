"""Benchmarks: what each part of a model's way costs beside the programs whose numbers it gives (`parts`), numbering
(`numbering`), whole runs on one rank and on several (`runs`), and what long ones take to list, check and report
(`long_runs`), and schedules of many ranks (`stretched`). What they cost is never tested: machines are noisy.
"""
