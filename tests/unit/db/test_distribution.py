"""How values are spread over bounds."""

from db.distribution import Distribution


def test_value_counts_under_the_first_bound_that_it_does_not_exceed():
    spread = Distribution((1, 5))
    for value in (0, 1, 1.5, 5, 6):
        spread.note(value)

    assert spread.counts == [2, 2, 1]
    assert spread.count == 5
    assert spread.sum == 13.5
