"""For notebooks: start a run, look at its graphs, draw them."""
