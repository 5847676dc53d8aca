"""SciPy's Student distribution, and a paired test of the main job's accuracies: python3 make_student.py > student.json"""
import json

from scipy import stats

HELD = [73.86, 73.38, 71.32, 71.80, 72.32]
FREE = [70.98, 72.26, 68.02, 71.56, 70.36]
test = stats.ttest_rel(HELD, FREE)
print(json.dumps({
    "cdf": [[t, f, float(stats.t.cdf(t, f))] for t in (-3.4, -0.5, 0, 0.1, 1, 2.776, 12.7, 60) for f in (1, 2, 4, 9, 30, 1000)],
    "ppf": [[p, f, float(stats.t.ppf(p, f))] for p in (0.025, 0.5, 0.9, 0.975, 0.9995) for f in (1, 2, 4, 9, 100)],
    "paired": {"a": HELD, "b": FREE, "t": float(test.statistic), "p": float(test.pvalue),
               "halfWidth": float(stats.t.ppf(0.975, 4) * stats.tstd(HELD) / 5**0.5)},
}))
