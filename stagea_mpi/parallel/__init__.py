"""Ranks: how they find each other, share work, agree, and end together."""
