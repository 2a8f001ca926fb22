"""A run: teams take shards; a shard is listed, numbered, built, written and finished."""
