"""What hyperopt's TPE proposes after a fixed history, by quadrature instead of sampling: python3 make_tpe.py > tpe.json (SciPy 1.17)

Written from hyperopt's documented rules (its tpe.py, 2020-2024) with SciPy's distributions; hyperopt itself was not run. The distribution of
the best of 24 candidates is exact: candidate i of n wins with P(l/g below its own)^24 - P(l/g strictly below)^24.
"""
import json
import math

import numpy as np
from scipy.stats import norm

CANDIDATES, GAMMA, REMEMBERED = 24, 0.25, 25


def forgetting(count):
    if count < REMEMBERED:
        return np.ones(count)
    return np.concatenate([np.linspace(1 / count, 1.0, count - REMEMBERED), np.ones(REMEMBERED)])


def windows(observed, low, high):
    """Weights, centres and widths; the prior has weight 1."""
    prior, sigma = (low + high) / 2, high - low
    observed = np.asarray(observed, float)
    order = np.argsort(observed, kind="stable")
    at = int(np.searchsorted(observed[order], prior))
    centres = np.insert(observed[order], at, prior)
    weights = np.insert(forgetting(len(observed))[order], at, 1.0)
    if len(observed) == 0:
        widths = np.array([sigma])
    elif len(observed) == 1:
        widths = np.array([sigma / 2, sigma / 2])
    else:
        gaps = np.diff(centres)
        widths = np.maximum(np.append(gaps, 0), np.insert(gaps, 0, 0))
    widths = np.clip(widths, sigma / min(100.0, 1.0 + len(centres)), sigma)
    widths[at] = sigma
    return weights / weights.sum(), centres, widths


def cdf(x, mixture):
    weights, centres, widths = mixture
    return norm.cdf((np.asarray(x)[..., None] - centres) / widths) @ weights


def split(losses):
    below = min(math.ceil(GAMMA * math.sqrt(len(losses))), REMEMBERED)
    order = np.argsort(losses, kind="stable")
    good = np.zeros(len(losses), bool)
    good[order[:below]] = True
    return good


def best_of(l, score):
    """P(cell) that the best of the candidates falls into each cell; cells of one score share by l."""
    scores, group = np.unique(np.round(score, 12), return_inverse=True)
    mass = np.bincount(group, l)
    upto = np.cumsum(mass)
    won = upto**CANDIDATES - (upto - mass) ** CANDIDATES
    return won[group] * l / mass[group]


def continuous(values, losses, low, high):
    good = split(losses)
    l, g = windows(values[good], low, high), windows(values[~good], low, high)
    edges = np.linspace(low, high, 400_001)
    middles = (edges[1:] + edges[:-1]) / 2
    of = lambda mixture: np.diff(cdf(edges, mixture)) / (cdf([high], mixture) - cdf([low], mixture))
    p = best_of(of(l), np.log(of(l) / of(g)))
    cumulative = np.cumsum(p) / p.sum()
    mean = (p * middles).sum()
    return {
        "good": [w.tolist() for w in l],
        "othersFirst": [w[:5].tolist() for w in g],
        "mean": mean,
        "deviation": math.sqrt((p * (middles - mean) ** 2).sum()),
        "quantiles": [[q, middles[np.searchsorted(cumulative, q)]] for q in (0.1, 0.25, 0.5, 0.75, 0.9)],
    }


def quantized(values, losses, low, high, step):
    good = split(losses)
    l, g = windows(values[good], low, high), windows(values[~good], low, high)
    places = np.arange(math.floor(low / step), math.ceil(high / step) + 1) * step
    edges = lambda sign: np.clip(places + sign * step / 2, low, high)
    of = lambda mixture: (cdf(edges(1), mixture) - cdf(edges(-1), mixture)) / (cdf([high], mixture) - cdf([low], mixture))
    return [[value, p] for value, p in zip(places.tolist(), best_of(of(l), np.log(of(l) / of(g)))) if p > 0]


def choice(values, losses, options):
    good = split(losses)

    def of(observed):
        counts = np.bincount(observed, forgetting(len(observed)), options) + 1
        return counts / counts.sum()

    l, g = of(values[good]), of(values[~good])
    return best_of(l, np.log(l / g)).tolist()


def history(count):
    """Unit values in each dimension, and losses; trials 7, 18, 29 ... failed."""
    i = np.arange(count)
    unit = lambda phase: 0.5 + 0.5 * np.sin(2.3 * i + phase)
    losses = (unit(0) - 0.3) ** 2 + 0.5 * (unit(1) - 0.8) ** 2 + 0.01 * np.cos(5 * i)
    losses[7::11] = np.inf
    return unit, losses


def case(count):
    unit, losses = history(count)
    low, high = math.log(1.6), math.log(33)
    return {
        "trials": count,
        "uniform": continuous(-5 + 15 * unit(0), losses, -5, 10),
        "logUniform": continuous(low + (high - low) * unit(1), losses, low, high),
        "quantizedUniform": quantized(np.round(20 * unit(2) / 3) * 3, losses, 0, 20, 3),
        "choice": choice(np.minimum(3, np.floor(4 * unit(3)).astype(int)), losses, 4),
    }


print(json.dumps([case(20), case(60), case(300)], indent=1))
