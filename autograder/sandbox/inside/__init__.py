"""What runs inside the sandbox.  This folder alone is shown there: it holds no reference, no seed and no secret."""
