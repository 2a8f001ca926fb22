"""The graphs of a run as a data set to train networks on. NumPy computes; PyTorch is imported where it is asked for."""
