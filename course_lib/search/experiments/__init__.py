"""The experiments: the lecture's search with real networks, races on the table of runs, validation and its faults."""
