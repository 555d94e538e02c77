"""What an instructor runs: release, sandbox, verification, gradebook, reports."""
