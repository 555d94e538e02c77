"""The best approximation of a matrix by two thin factors (Eckart, Young 1936)."""

import functools

import numpy as np
import torch

from autograder.exercise import Case, Exercise
from exercises.draws import uniform
from exercises.regularization.shared import among

exercise = Exercise("low-rank", "best_low_rank(W, k)", returns=("product", "left", "right"))
BEST = exercise.criterion(
    "the product is the best one of its rank", 2.5, cases=("rank*", "float32*"), outputs="product"
)
WHOLE = exercise.criterion("loses nothing where k is the smaller side", 0.5, cases="whole*", outputs="product")
SHAPES = exercise.criterion("the factors are (m, k) and (k, n)", 0.75, outputs=("left", "right"))

def matrix(g, m, n, dtype=torch.float64):
    """(m, n) with singular values that differ by a factor of 1.5 or so, in turned axes; means far from zero."""
    r = min(m, n)
    u, _ = torch.linalg.qr(torch.randn(m, r, generator=g, dtype=torch.float64) + 0.5)
    v, _ = torch.linalg.qr(torch.randn(n, r, generator=g, dtype=torch.float64) + 0.5)
    values = 6 * 0.65 ** torch.arange(r, dtype=torch.float64) * uniform(g, 0.95, 1.05, r)
    return (u * values @ v.T).to(dtype)

@exercise.cases
def cases(g):
    def case(w, k, driver=""):
        return Case({"W": w, "k": k}, driver=f"regularization/factors{driver}")

    by_hand = torch.tensor([[1.0, 2.0], [2.0, 1.0], [2.0, 2.0]], dtype=torch.float64)
    yield "rank 1, by hand", case(by_hand, 1)
    yield "rank, tall", case(matrix(g, among(g, 6, 8), 5), among(g, 2, 3))
    yield "rank, wide", case(matrix(g, 4, among(g, 6, 8)), 2)
    yield "rank, square", case(matrix(g, 6, 6), among(g, 2, 4))
    yield "float32, strided", case(matrix(g, 7, 5, torch.float32), 3, "-strided")
    yield "whole, wide", case(matrix(g, 3, among(g, 4, 6)), 3)
    yield "whole, tall", case(matrix(g, among(g, 4, 6), 3), 3)

@exercise.reference
def projected_on_eigenvectors(W, k):
    """W V V^T with the leading eigenvectors V of W^T W."""
    _, vectors = torch.linalg.eigh(W.T @ W)
    v = vectors.flip(1)[:, :k]
    return W @ v, v.T

def parts(W):
    return torch.linalg.svd(W, full_matrices=False)

@exercise.right
def values_in_the_left_factor(W, k):
    u, s, vh = parts(W)
    return u[:, :k] * s[:k], vh[:k]

@exercise.right
def values_in_the_right_factor(W, k):
    u, s, vh = torch.linalg.svd(W)
    return u[:, :k], torch.diag(s[:k]) @ vh[:k, :]

@exercise.right
def roots_in_both_factors(W, k):
    u, s, v = torch.svd(W)
    root = s[:k].sqrt()
    return [u[:, :k] * root, (v[:, :k] * root).T]

@exercise.right
def numpy_and_a_factor_between(W, k):
    u, s, vh = np.linalg.svd(W.numpy(), full_matrices=False)
    return torch.from_numpy(3.0 * u[:, :k] * s[:k]).to(W.dtype), torch.from_numpy(vh[:k] / 3.0).to(W.dtype)

@exercise.right
def projected_from_the_left(W, k):
    u = parts(W)[0][:, :k]
    return u, u.T @ W

def factors(choose):
    """The two factors from u (m, r), s (r,), vh (r, n) and k."""

    @functools.wraps(choose)
    def answer(W, k):
        return choose(*parts(W), k)

    return answer

@exercise.wrong(loses=(BEST, WHOLE), costs=1)
@factors
def values_in_both_factors(u, s, vh, k):
    """The singular values are in both factors, so the product has their squares. They belong in one of the two, or
    their roots in each."""
    return u[:, :k] * s[:k], s[:k, None] * vh[:k]

@exercise.wrong(loses=(BEST, WHOLE), costs=1)
@factors
def values_in_neither_factor(u, s, vh, k):
    """The singular values are in neither factor: the product is the sum of the directions without their sizes. Put the
    values into one of the two, or their roots into each."""
    return u[:, :k], vh[:k]

@exercise.wrong(loses=BEST, costs=1.25)
def rows_and_columns_of_v_confused(W, k):
    """The first columns of the third matrix were taken and turned. Look up what the decomposition returns: the right
    singular vectors are already in its rows."""
    u, s, vh = torch.linalg.svd(W)
    return u[:, :k] * s[:k], vh[:, :k].T

@exercise.also(rows_and_columns_of_v_confused)
@factors
def rows_and_columns_of_the_thin_v_confused(u, s, vh, k):
    return u[:, :k] * s[:k], vh[:, :k].T

@exercise.wrong(loses=BEST, costs=1.5)
@factors
def the_smallest_values(u, s, vh, k):
    """The directions with the smallest singular values were kept. The largest ones carry most of the matrix; look up in
    which order your decomposition gives them."""
    return u[:, -k:] * s[-k:], vh[-k:]

@exercise.also(the_smallest_values)
def first_eigenvectors_of_the_columns(W, k):
    """Eigenvalues come in ascending order."""
    v = torch.linalg.eigh(W.T @ W)[1][:, :k]
    return W @ v, v.T

@exercise.also(the_smallest_values)
def first_eigenvectors_of_the_rows(W, k):
    u = torch.linalg.eigh(W @ W.T)[1][:, :k]
    return u, u.T @ W

@exercise.wrong(loses=(BEST, SHAPES), costs=1)
@factors
def one_direction_too_many(u, s, vh, k):
    """There is one direction more than asked for: the inner side of the factors is k + 1. Look at the end of the
    slice."""
    return u[:, : k + 1] * s[: k + 1], vh[: k + 1]

@exercise.wrong(loses=(BEST, SHAPES), costs=1)
@factors
def one_direction_too_few(u, s, vh, k):
    """There is one direction fewer than asked for: the inner side of the factors is k - 1. Look at the end of the
    slice."""
    return u[:, : k - 1] * s[: k - 1], vh[: k - 1]

@exercise.wrong(loses=(BEST, SHAPES), costs=2)
@factors
def nothing_left_out(u, s, vh, k):
    """All directions were kept, so the product is the whole matrix, whatever k is. Keep the first k of them."""
    return u * s, vh

@exercise.wrong(loses=SHAPES, costs=0.5)
@factors
def small_values_set_to_zero(u, s, vh, k):
    """The product is right, but the factors are as large as before: the small singular values were set to zero and
    kept. Then nothing is saved; cut the columns and the rows off."""
    return u * torch.where(torch.arange(len(s)) < k, s, 0.0), vh

@exercise.wrong(loses=SHAPES)
@factors
def the_product_itself(u, s, vh, k):
    """The approximation itself came back. The exercise asks for its two factors, one tall and one wide: they are the
    two layers of the bottleneck."""
    return u[:, :k] * s[:k] @ vh[:k]

@exercise.wrong(loses=SHAPES, costs=0.5)
@factors
def three_factors(u, s, vh, k):
    """Three factors came back, with the singular values in one of their own. The exercise asks for two: put the values
    into either of the others."""
    return u[:, :k], s[:k], vh[:k]

@exercise.wrong(loses=(BEST, SHAPES), costs=0.75)
@factors
def order_exchanged(u, s, vh, k):
    """The two factors come in the wrong order: the tall one, (m, k), is the first."""
    return vh[:k], u[:, :k] * s[:k]

@exercise.wrong(loses=(BEST, SHAPES), costs=0.75)
@factors
def both_transposed(u, s, vh, k):
    """Both factors are transposed: they should be (m, k) and (k, n), so that their product has the shape of W."""
    return (u[:, :k] * s[:k]).T, vh[:k].T

@exercise.wrong(loses=(BEST, SHAPES), costs=0.75)
@factors
def right_factor_transposed(u, s, vh, k):
    """The second factor is transposed: it should be (k, n), with the directions in its rows."""
    return u[:, :k] * s[:k], vh[:k].T

@exercise.wrong(loses=(BEST, WHOLE), costs=1)
@factors
def roots_in_one_factor(u, s, vh, k):
    """The product has the roots of the singular values. Roots belong in both factors; if only one of them gets the
    value, it gets all of it."""
    return u[:, :k] * s[:k].sqrt(), vh[:k]

@exercise.wrong(loses=BEST, costs=1.5)
def the_first_columns(W, k):
    """The product has the first k columns of W and zeros beside them. The best directions are combinations of all
    columns: a decomposition of W finds them."""
    eye = torch.eye(W.shape[1], dtype=W.dtype)
    return W[:, :k], eye[:k]

@exercise.wrong(loses=BEST, costs=1.5)
def the_first_rows(W, k):
    """The product has the first k rows of W and zeros below them. The best directions are combinations of all
    rows: a decomposition of W finds them."""
    eye = torch.eye(W.shape[0], dtype=W.dtype)
    return eye[:, :k], W[:k]

@exercise.wrong(loses=BEST, costs=1.25)
def directions_of_the_first_columns(W, k):
    """The directions span the first k columns of W, as a QR decomposition gives them. They need not be the ones that
    carry most: singular vectors are sorted by that."""
    q = torch.linalg.qr(W)[0][:, :k]
    return q, q.T @ W

@exercise.wrong(loses=(BEST, WHOLE), costs=1)
def columns_centered(W, k):
    """The means of the columns were subtracted first, as in a principal component analysis. The matrix itself is to be
    approximated, with its means."""
    return values_in_the_left_factor(W - W.mean(0), k)

@exercise.wrong(loses=(BEST, WHOLE), costs=1)
def length_one(W, k):
    """The singular values were divided by their sum or their norm. As they are, they carry the size of the matrix."""
    u, s, vh = parts(W)
    return u[:, :k] * s[:k] / s.sum(), vh[:k]

@exercise.also(length_one)
def length_one_by_the_norm(W, k):
    u, s, vh = parts(W)
    return u[:, :k] * s[:k] / s.norm(), vh[:k]
