"""The experiments of 04_weight_regularization: each returns numbers; `figures` draws them.

Every claim of the notebook about training is asserted on these functions by
`tests/course_lib/regularization/test_claims.py`.
"""
