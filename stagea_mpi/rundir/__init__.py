"""The run folder: its files, shards and their states, checksums, records and locks."""
