/**
 * Bounds on the empirical Rademacher complexity R̂ of the networks whose layers have the given norms and distances, as log₁₀: for a
 * deep network they are numbers like 10²⁰⁰. With probability 1 − δ, for losses in [0, 1],
 *
 *   expected loss ≤ training loss + 2·R̂ + 3·√(ln(2/δ)/(2m))
 *
 * L layers, matrices M_j with n_j columns, m examples of d elements, c classes. B_j, D_j: MARS norm and distance; F_j, E_j: Frobenius; s_j:
 * spectral norm; b_j: sum of the rows' L2 norms of the difference. X_∞, X₂, X_p as in `DataConstants`.
 *
 *   Gouk, Hospedales & Pontil, ICLR 2021, theorem 1   2^(L+1)·c·Πⱼ B_j·Σⱼ(D_j/B_j)·ln(d)·X_∞/√m
 *     and theorem 2                                   2^(L+1/2)·c·X₂·Πⱼ(√n_j·F_j)·Σⱼ(E_j/(F_j·Π_{i≤j}√n_i))/√m
 *   Neyshabur, Tomioka & Srebro, COLT 2015, cor. 2    2^L·c·Πⱼ B_j·√ln(2d)·X_∞/√m   and   2^(L−1)·c·Πⱼ F_j·X₂/√m
 *   Golowich, Rakhlin & Shamir, COLT 2018, thm. 2, 1  2·c·Πⱼ B_j·√(L + 1 + ln d)·X_p/√m   and   c·Πⱼ F_j·(1 + √(2·L·ln 2))·X₂/√m
 *   Bartlett, Foster & Telgarsky, NeurIPS 2017, A.8   4/m + 9·ln m/√m·√ln(2·W̄)·(Σⱼ C_j^⅔)^(3/2)
 *                                                     C_j = 4/γ·X₂·Πᵢ sᵢ·b_j/s_j,  W̄ = the most elements of a matrix
 *   Graf et al., NeurIPS 2022, theorem 3.5            4/m + 12·H_{m−1}/√m·√ln(2·W)·(Σⱼ⌈C_j^⅔⌉)^(3/2)
 *                                                     12/√m·√Σⱼ(2·W_j·ln(1 + ⌈L²·C_j²⌉) + ψ),  ψ < 2.7
 *                                                     C_j with the kernel's sum in b_j's place, W_j kernel elements
 *
 * Sources and doubts. Constants are those that Graf et al. give for all of these in the documentation and code of "On Measuring Excess
 * Capacity in Neural Networks"; the factor c is theirs too (the peeling bounds are for one output). Three differences:
 *   - theorem 1: they have ln(d), while the lemma that such bounds rest on (Neyshabur et al.) gives √ln(2d). The paper's proof was not
 *     at hand, so both are here, and neither is called the theorem's.
 *   - Golowich, theorem 2: their code takes the root of a norm, which does not scale with the inputs; here it is the norm.
 *   - Neyshabur, Frobenius: their code divides by √2 more, which for one layer and one example is below the complexity itself.
 * Norms of the trained network stand where the theorems have radii that are fixed beforehand; the logarithmic price of that choice is
 * left out, as it is by all of them.
 */
import type { DataConstants } from './data.ts';
import type { LayerNorms } from './layerNorms.ts';

export interface GeneralizationBound {
  readonly id: string;
  readonly name: string;
  /** The norm in which weights are measured. */
  readonly norm: 'MARS' | 'Frobenius' | 'spectral';
  /** It shrinks when the weights stay near their starting point. */
  readonly usesDistance: boolean;
  /** It depends on γ. */
  readonly usesMargin: boolean;
  /** log₁₀ of the bound on R̂; −∞ for a bound of zero. */
  readonly log10: number;
}

export interface BoundOptions {
  /** γ > 0 of the margin bounds (Bartlett et al., Graf et al.). Default: 1. */
  readonly margin?: number;
}

/** All bounds, of layers in the order of the chain. Throws where there is no layer, or γ is not positive. */
export function generalizationBounds(
  layers: readonly LayerNorms[],
  data: DataConstants,
  { margin = 1 }: BoundOptions = {},
): GeneralizationBound[] {
  if (layers.length === 0) throw new RangeError('generalizationBounds: there are no layers');
  if (!(margin > 0)) throw new RangeError(`generalizationBounds: the margin is ${margin}; it must be > 0`);
  const peeled = (id: string, name: string, norm: 'MARS' | 'Frobenius', usesDistance: boolean, log10: number) => {
    return { id, name, norm, usesDistance, usesMargin: false, log10 };
  };
  const covered = (id: string, name: string, log10: number) => {
    return { id, name, norm: 'spectral' as const, usesDistance: true, usesMargin: true, log10 };
  };
  const [gouk, neyshabur, golowich] = [
    goukBounds(layers, data),
    neyshaburBounds(layers, data),
    golowichBounds(layers, data),
  ];
  const graf = grafBounds(layers, data, margin);
  return [
    peeled('gouk-mars', 'Gouk et al. 2021, theorem 1, with ln(d)', 'MARS', true, gouk.mars),
    peeled('gouk-mars-sqrt', 'Gouk et al. 2021, theorem 1, with √ln(2d)', 'MARS', true, gouk.marsSqrt),
    peeled('gouk-frobenius', 'Gouk et al. 2021, theorem 2', 'Frobenius', true, gouk.frobenius),
    peeled('neyshabur-mars', 'Neyshabur et al. 2015', 'MARS', false, neyshabur.mars),
    peeled('neyshabur-frobenius', 'Neyshabur et al. 2015', 'Frobenius', false, neyshabur.frobenius),
    peeled('golowich-mars', 'Golowich et al. 2018', 'MARS', false, golowich.mars),
    peeled('golowich-frobenius', 'Golowich et al. 2018', 'Frobenius', false, golowich.frobenius),
    covered('bartlett', 'Bartlett et al. 2017', bartlettBound(layers, data, margin)),
    covered('graf-norms', 'Graf et al. 2022, by norms', graf.norms),
    covered('graf-parameters', 'Graf et al. 2022, by parameters', graf.parameters),
  ];
}

function goukBounds(layers: readonly LayerNorms[], data: DataConstants) {
  const { inputs, classes, examples, largestElement, rmsNorm } = data;
  const factors = layers.map(({ mars, marsDistance }) => ({ norm: mars, distance: marsDistance }));
  const common =
    twoTo(layers.length + 1) + log10(classes) + replacedSum(factors) + log10(largestElement) - log10(examples) / 2;
  // Π √n_i·F_i · E_j/(F_j·Π_{i≤j} √n_i): layer j's own norm is replaced by its distance, and √n_i is left of those behind it.
  const root = (layer: LayerNorms) => log10(layer.inputs) / 2;
  const terms = layers.map((own, j) =>
    total(
      layers.map((layer, i) =>
        i === j ? log10(own.frobeniusDistance) : log10(layer.frobenius) + (i > j ? root(layer) : 0),
      ),
    ),
  );
  return {
    mars: common + log10(Math.log(inputs)),
    marsSqrt: common + log10(Math.log(2 * inputs)) / 2,
    frobenius: twoTo(layers.length + 0.5) + log10(classes) + log10(rmsNorm) + logSum(terms) - log10(examples) / 2,
  };
}

function neyshaburBounds(layers: readonly LayerNorms[], data: DataConstants) {
  const { inputs, classes, examples, largestElement, rmsNorm } = data;
  const common = log10(classes) - log10(examples) / 2;
  const logarithm = log10(Math.log(2 * inputs)) / 2;
  return {
    mars: common + twoTo(layers.length) + product(layers, 'mars') + logarithm + log10(largestElement),
    frobenius: common + twoTo(layers.length - 1) + product(layers, 'frobenius') + log10(rmsNorm),
  };
}

function golowichBounds(layers: readonly LayerNorms[], data: DataConstants) {
  const { inputs, classes, examples, largestPlaceRms, rmsNorm } = data;
  const common = log10(classes) - log10(examples) / 2;
  const depth = layers.length;
  return {
    mars:
      common + twoTo(1) + product(layers, 'mars') + log10(depth + 1 + Math.log(inputs)) / 2 + log10(largestPlaceRms),
    frobenius: common + product(layers, 'frobenius') + log10(1 + Math.sqrt(2 * depth * Math.LN2)) + log10(rmsNorm),
  };
}

function bartlettBound(layers: readonly LayerNorms[], data: DataConstants, margin: number): number {
  const { examples } = data;
  const capacities = capacitiesOf(layers, data, margin, 'rowSumDistance');
  const elements = layers.reduce((most, { inputs, outputs }) => Math.max(most, inputs * outputs), 0);
  const covering = log10(9 * Math.log(examples)) - log10(examples) / 2 + log10(Math.log(2 * elements)) / 2;
  return logSum([log10(4 / examples), covering + 1.5 * logSum(capacities.map((c) => (2 / 3) * c))]);
}

function grafBounds(layers: readonly LayerNorms[], data: DataConstants, margin: number) {
  const { examples } = data;
  const capacities = capacitiesOf(layers, data, margin, 'kernelSumDistance');
  const parameters = layers.reduce((most, layer) => Math.max(most, layer.parameters), 0);
  const harmonic = Array.from({ length: examples - 1 }, (_, i) => 1 / (i + 1)).reduce((sum, term) => sum + term, 0);
  const covering = log10(12 * harmonic) - log10(examples) / 2 + log10(Math.log(2 * parameters)) / 2;
  const byParameters = layers.map((layer, j) => {
    const capacity = log10(layers.length) + capacities[j]!;
    const psi = capacity === Number.NEGATIVE_INFINITY ? 0 : 2.7;
    return 2 * layer.parameters * lnOnePlus(logCeil(2 * capacity)) + psi;
  });
  return {
    norms: logSum([log10(4 / examples), covering + 1.5 * logSum(capacities.map((c) => logCeil((2 / 3) * c)))]),
    parameters: log10(12) - log10(examples) / 2 + log10(total(byParameters)) / 2,
  };
}

/** log₁₀ of C_j = 4/γ·X₂·b_j·Π_{i≠j} sᵢ. */
function capacitiesOf(
  layers: readonly LayerNorms[],
  { rmsNorm }: DataConstants,
  margin: number,
  distance: 'rowSumDistance' | 'kernelSumDistance',
): number[] {
  return layers.map((own, j) => {
    const others = layers.map(({ spectral }, i) => log10(i === j ? own[distance] : spectral));
    return log10(4 / margin) + log10(rmsNorm) + total(others);
  });
}

/** log₁₀ of Πⱼ normⱼ·Σⱼ distanceⱼ/normⱼ, which a norm of zero leaves finite. */
function replacedSum(factors: readonly { readonly norm: number; readonly distance: number }[]): number {
  return logSum(
    factors.map(({ distance }, j) => total(factors.map(({ norm }, i) => log10(i === j ? distance : norm)))),
  );
}

const log10 = Math.log10;
/** log₁₀ of 2^exponent. */
const twoTo = (exponent: number): number => exponent * Math.log10(2);
const total = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);
const product = (layers: readonly LayerNorms[], norm: 'mars' | 'frobenius'): number =>
  total(layers.map((layer) => log10(layer[norm])));

/** log₁₀ Σ 10^l; −∞ of nothing but zeros. */
function logSum(logs: readonly number[]): number {
  const largest = Math.max(...logs);
  if (!Number.isFinite(largest)) return largest;
  return largest + log10(total(logs.map((log) => 10 ** (log - largest))));
}

/** log₁₀⌈10^l⌉; beyond the whole numbers of float64, l itself. */
const logCeil = (log: number): number => (log > 15 ? log : log10(Math.ceil(10 ** log)));

/** ln(1 + 10^l). */
const lnOnePlus = (log: number): number => (log > 15 ? log * Math.LN10 : Math.log1p(10 ** log));
