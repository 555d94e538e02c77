"""From a submission to its result: one at a time, in a pool, on a cluster, behind nbgrader's own doors."""
