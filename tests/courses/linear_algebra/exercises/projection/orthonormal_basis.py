"""Gram-Schmidt: an orthonormal basis of the columns of A, judged by what cannot differ between right answers."""

import torch

from autograder.exercise import Case, Exercise

exercise = Exercise("orthonormal-basis", "orthonormal_basis(A)", returns=("projector", "orthonormal"))
SPANS = exercise.criterion("spans what the columns of A span", 1.5, outputs="projector")
UNIT = exercise.criterion("its columns are orthonormal", 1, outputs="orthonormal")

@exercise.cases
def cases(g):
    def case(A):
        return Case({"A": A}, driver="algebra_lib.projection/projector")

    yield "by hand", case(torch.tensor([[3.0, 1.0], [0.0, 2.0], [0.0, 0.0]]).double())
    yield "random", case(torch.randn(5, 3, generator=g).double() + 1)
    yield "square", case(torch.randn(3, 3, generator=g).double() + torch.eye(3))

@exercise.reference
def by_qr(A):
    return torch.linalg.qr(A).Q

@exercise.right
def by_svd(A):
    return torch.linalg.svd(A, full_matrices=False).U

@exercise.wrong(loses=(SPANS, UNIT))
def only_normalized(A):
    """Each column has length 1, but they are not at right angles: subtract what each shares with those before it."""
    return A / A.norm(dim=0)

@exercise.wrong(loses=(SPANS, UNIT))
def not_normalized(A):
    """The columns are at right angles but keep their lengths. An orthonormal basis has columns of length 1."""
    q = by_qr(A)
    return q * (q * A).sum(0)
