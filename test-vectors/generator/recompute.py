"""Compares the figures with what this implementation computes."""

import math


def check(collection, functions):
    """Recomputes each test of the families that `functions` knows; a difference stops the program. Returns the families not known."""
    carried = {}
    for groups in collection.groups.values():
        for group in groups:
            function = functions.get(group.family)
            for test in group.tests:
                if function is None:
                    carried[group.family] = carried.get(group.family, 0) + 1
                    continue
                computed = function(test["input"], test["expected"])
                if not equal(computed, test["expected"], test.get("tolerance")):
                    raise SystemExit(f"{group.family} {test['comment']}: figure {test['expected']}, computed {computed}")
    return carried


def equal(computed, expected, tolerance):
    """Equal, but that what the figure leaves out is not asked for."""
    if isinstance(expected, dict):
        return isinstance(computed, dict) and all(name in computed and equal(computed[name], value, tolerance) for name, value in expected.items())
    if isinstance(expected, list):
        return len(computed) == len(expected) and all(equal(a, b, tolerance) for a, b in zip(computed, expected, strict=True))
    if isinstance(expected, float):
        return math.isclose(computed, expected, rel_tol=0, abs_tol=tolerance or 1e-6)
    if isinstance(expected, int) and not isinstance(expected, bool) and tolerance:
        return abs(computed - expected) <= tolerance
    return computed == expected
