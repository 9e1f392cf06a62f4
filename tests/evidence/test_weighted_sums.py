"""Weighted sums of means, checked against SciPy's tests of two samples and against a sum written out by hand."""

import numpy as np
import pytest
from scipy import stats

from ablation.evidence.weighted_sums import effect_columns, weighted_sums

A, B = [70.0, 71.5, 72.0, 70.5], [75.0, 76.0, 79.0, np.nan]
DIFFERENCE = np.array([[-1.0, 1.0]])


@pytest.mark.parametrize(("recipes", "equal"), [(None, True), (["one", "one"], True), (["one", "other"], False)])
def test_a_difference_of_two_rows_is_a_t_test(recipes, equal):
    expected = stats.ttest_ind(B[:3], A, equal_var=equal)
    low, high = expected.confidence_interval(0.95)
    found = weighted_sums(np.array([A, B]), DIFFERENCE, recipes)
    columns = effect_columns("points", found)
    assert (columns["points"][0], columns["df"][0]) == pytest.approx((np.mean(B[:3]) - np.mean(A), expected.df))
    assert (columns["p"][0], columns["half_points"][0]) == pytest.approx((expected.pvalue, (high - low) / 2))
    assert columns["n"][0] == 3


def test_a_row_whose_variance_departs_keeps_its_own():
    calm = [[60.0 + i, 60.2 + i, 60.1 + i, 60.3 + i, 60.4 + i] for i in range(6)]
    values = np.array([*calm, [20.0, 40.0, 60.0, 80.0, 100.0]])
    weights = np.array([[0.5, 0.5, 0, 0, 0, 0, -1.0], [1.0, -1.0, 0, 0, 0, 0, 0]])
    found = weighted_sums(values, weights)
    shared, own = np.mean([np.var(row, ddof=1) for row in calm]), np.var(values[-1], ddof=1)
    parts = np.array([0.5 * shared / 5, own / 5])
    assert found.error == pytest.approx([np.sqrt(parts.sum()), np.sqrt(2 * shared / 5)])
    assert found.df == pytest.approx([parts.sum() ** 2 / (parts**2 / [24, 4]).sum(), 24])


def test_what_is_undefined_is_nan():
    nothing, single = [np.nan] * 3, [70.0, np.nan, np.nan]
    found = weighted_sums(np.array([nothing, A[:3]]), DIFFERENCE)
    assert np.isnan([found.value, found.error, found.df]).all() and found.n[0] == 0
    found = weighted_sums(np.array([single, single]), DIFFERENCE)
    assert found.value[0] == 0 and np.isnan([found.error, found.df]).all()
    alike = weighted_sums(np.array([[70.0, 70.0], [71.0, 71.0]]), DIFFERENCE)
    assert (alike.value[0], alike.error[0], alike.df[0]) == (1, 0, 2)
    assert effect_columns("points", alike)["p"][0] == 0
