"""A model to a complex of two merged chains: which chains are what, numbered domains, CDR labels."""
