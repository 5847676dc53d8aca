/** FTP's radii, SPD's decay and the running average in a recorded step. The classifier is free of the first two. */
import type { AuditContext } from '../context.ts';
import { NORM_ERROR, roundings, sumOf } from './chained.ts';
import { frobenius, largest, projected, rowNorms } from './math/balls.ts';
import { keptShare, nextRadius, type RadiusState, rowProducts } from './math/learned.ts';
import { type Bounded, ROUNDING } from './math/updates.ts';
import type { ParameterStep, RecomputedStep } from './recomputedStep.ts';
import { type Findings, momentsOf, need } from './support.ts';

/** `linear.`: what the names of the classifier's parameters begin with. */
export const headOfStep = ({ layers }: RecomputedStep): string => `${layers.find(({ isHead }) => isHead)!.name}.`;

/** A tensor's rows: those of its matrix, or itself. */
function rowsOf({ step }: RecomputedStep, name: string): number {
  const { shape } = step.after.model.get(name)!;
  return shape.length > 1 ? shape[0]! : 1;
}

/** FTP's γ and its moments by tensor, in the order in which the run keeps them. */
function radiusStates(recomputed: RecomputedStep, when: 'before' | 'after'): Map<string, RadiusState> {
  const { step, parameters } = recomputed;
  const head = headOfStep(recomputed);
  const found = new Map<string, RadiusState>();
  for (const [arena, { members }] of step.file.arenas.entries()) {
    const data = step[when].optimizer.get(`link.0.state.${arena}`)?.data as Float32Array | undefined;
    if (!data) continue;
    const inArena = new Set(members.map(({ name }) => name));
    const names = [...parameters.keys()].filter((name) => inArena.has(name) && !name.startsWith(head));
    for (const [i, name] of names.entries()) found.set(name, [data[3 * i]!, data[3 * i + 1]!, data[3 * i + 2]!]);
  }
  return found;
}

/** FTP: the rows of a tensor brought back to the radius that the run had learned by then. */
export function projectedTensor(recomputed: RecomputedStep, { name, update }: ParameterStep): Bounded {
  const radius = radiusStates(recomputed, 'after').get(name)?.[0];
  if (radius === undefined) throw new Error(`${recomputed.step.folder} holds no radius of ${name}.`);
  const { values, bound } = update.weights;
  const anchors = need(recomputed.initial, name, 'the initial model');
  const matrix = { weights: values, anchors, rows: rowsOf(recomputed, name) };
  const norms = rowNorms(matrix);
  const length = values.length / matrix.rows;
  const out = projected('row-radial', matrix, new Float64Array(matrix.rows).fill(radius));
  const shares = norms.map((norm, row) =>
    norm > 0 ? Math.min(1, sumOf(bound, row * length, (row + 1) * length) / norm) : 0,
  );
  const around = bound.map((own, i) => {
    const moved = Math.abs(values[i]! - anchors[i]!);
    return own + moved * (NORM_ERROR + shares[Math.floor(i / length)]!) + roundings(out[i]!, anchors[i]!);
  });
  return { values: out, bound: around };
}

/** SPD: a tensor whose step went back keeps a part of its displacement. */
export function decayedTensor(
  context: AuditContext,
  recomputed: RecomputedStep,
  { name, before, gradient, update }: ParameterStep,
): Bounded {
  const strength = context.config.settings.regularization.extractor ?? 0;
  const anchors = need(recomputed.initial, name, 'the initial model');
  const { values, bound } = update.weights;
  const against = rowProducts(gradient, before, anchors, 1)[0]!;
  const terms = rowProducts(magnitudes(gradient), distancesOf(before, anchors), new Float64Array(values.length), 1)[0]!;
  const [old, now] = [frobenius({ weights: before, anchors }), frobenius({ weights: values, anchors })];
  const kept = keptShare(against, old, now, strength);
  // Where the product nearly cancels, its sign is float32's guess.
  const isUnsure = Math.abs(against) < 1e-4 * terms;
  const other = isUnsure ? keptShare(-against, old, now, strength) : kept;
  const spread = now > 0 ? Math.min(1, 2 * NORM_ERROR + Math.hypot(...norm2(bound)) / now) : 0;
  const slack = spread + Math.abs(kept - other);
  const out = values.map((w, i) => anchors[i]! + (w - anchors[i]!) * kept);
  const around = bound.map(
    (own, i) => own + slack * Math.abs(values[i]! - anchors[i]!) + roundings(out[i]!, anchors[i]!),
  );
  return { values: out, bound: around };
}

const magnitudes = (values: ArrayLike<number>): Float64Array => Float64Array.from(values, Math.abs);
const distancesOf = (values: ArrayLike<number>, anchors: ArrayLike<number>): Float64Array =>
  Float64Array.from(values, (value, i) => Math.abs(value - anchors[i]!));
const norm2 = (values: Float64Array): [number] => [Math.sqrt(values.reduce((sum, value) => sum + value * value, 0))];

/** FTP's own learning: γ from the γ before, the gradient and the displacements before. Returns how many radii were compared. */
export function checkRadii(context: AuditContext, recomputed: RecomputedStep, findings: Findings): number {
  const { step } = recomputed;
  const [before, after] = [radiusStates(recomputed, 'before'), radiusStates(recomputed, 'after')];
  const unprojected = momentsOf(step, step.before.optimizer, ['link.0.unprojected']);
  for (const [name, state] of before) {
    const parameter = recomputed.parameters.get(name)!;
    const anchors = need(recomputed.initial, name, 'the initial model');
    const rows = rowsOf(recomputed, name);
    const old = unprojected.get(name)?.['link.0.unprojected'] ?? new Float64Array(anchors.length);
    const dots = rowProducts(parameter.gradient, old, anchors, rows);
    const previous = rowNorms({ weights: old, anchors, rows }).map((norm) => norm + 1e-8);
    const most = largest(rowNorms({ weights: parameter.update.weights.values, anchors, rows }));
    const k = context.config.settings.regularization.ftpK;
    const [radius] = nextRadius({ before: state, dots, previous, largest: most, k, step: step.file.optimizerStep + 1 });
    const got = after.get(name)![0];
    const limit = 1e-4 * Math.max(radius, 0.01) + ROUNDING * largest(magnitudes(anchors)) * (anchors.length / rows);
    // Where a sum of both signs nearly cancels, Adam makes a whole step of float32's rounding.
    const terms = dots.reduce((sum, dot, row) => sum + Math.abs(dot) / previous[row]!, 0);
    const isUnsure = Math.abs(dots.reduce((sum, dot, row) => sum + dot / previous[row]!, 0)) < 1e-4 * terms;
    if (Math.abs(got - radius) <= (isUnsure ? limit + 0.02 : limit)) continue;
    findings.fail(`step ${step.step}, ${name}`, `its learned radius is ${got}; from the gradient follows ${radius}`, {
      value: got,
      limit: radius,
    });
  }
  return before.size;
}

/** EMA: w̄ ← d·w̄ + (1 − d)·w, from the recorded w. Returns how many averages were compared. */
export function checkAverage(context: AuditContext, recomputed: RecomputedStep, findings: Findings): number {
  const decay = context.config.settings.optimizer.ema;
  if (decay === null) return 0;
  const { step } = recomputed;
  const key = [...step.after.optimizer.keys()]
    .find((name) => /^link\.\d+\.average\.0$/.test(name))
    ?.replace(/\.0$/, '');
  if (!key) {
    findings.fail(step.folder, 'holds no average of the weights, though the settings ask for one');
    return 0;
  }
  const [before, after] = [momentsOf(step, step.before.optimizer, [key]), momentsOf(step, step.after.optimizer, [key])];
  for (const [name, { [key]: got }] of after) {
    const old = before.get(name)![key]!;
    const weights = recomputed.parameters.get(name)!.after;
    for (let i = 0; i < got!.length; i++) {
      const expected = old[i]! + (1 - decay) * (weights[i]! - old[i]!);
      const limit = 4 * ROUNDING * (Math.abs(old[i]!) + Math.abs(weights[i]!));
      if (Math.abs(got![i]! - expected) <= limit) continue;
      findings.fail(
        `step ${step.step}, ${name}, element ${i}`,
        `its average is ${got![i]}; from the weights follows ${expected}`,
      );
      break;
    }
  }
  return after.size;
}
