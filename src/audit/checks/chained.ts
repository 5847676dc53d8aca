/** The weights after a recorded step: what the optimiser made, projected or pulled back, with the bounds of float32 arithmetic around them. */
import type { AuditContext } from '../context.ts';
import type { LayerBound } from './layerBounds.ts';
import { decayedTensor, headOfStep, projectedTensor } from './learnedLinks.ts';
import { boundedNorms, clippedGamma, DIAGONAL_EPSILON, projected } from './math/balls.ts';
import { type Bounded, ROUNDING } from './math/updates.ts';
import { anchorIn, type RecomputedStep } from './recomputedStep.ts';
import { need } from './support.ts';

/** Of a row's norm, added up in float32 by a tree, and of what is computed from it. */
export const NORM_ERROR = 4e-6;

/** By parameter. One that does not train keeps its bits. */
export function chained(context: AuditContext, recomputed: RecomputedStep): ReadonlyMap<string, Bounded> {
  const { method } = context.config.settings.regularization;
  const out = new Map([...recomputed.parameters].map(([name, { update }]) => [name, update.weights]));
  for (const bound of recomputed.bounds) out.set(`${bound.name}.weight`, projectedLayer(context, recomputed, bound));
  const head = headOfStep(recomputed);
  for (const [name, parameter] of recomputed.parameters) {
    if (!parameter.trains) {
      out.set(name, { values: Float64Array.from(parameter.before), bound: new Float64Array(parameter.before.length) });
    } else if (!name.startsWith(head)) {
      if (method === 'ftp') out.set(name, projectedTensor(recomputed, parameter));
      if (method === 'spd') out.set(name, decayedTensor(context, recomputed, parameter));
    }
  }
  return out;
}

/** The closed form of a layer's projection, applied to what the optimiser made. */
export function projectedLayer(context: AuditContext, recomputed: RecomputedStep, layer: LayerBound): Bounded {
  const { weights } = recomputed.parameters.get(`${layer.name}.weight`)!.update;
  const anchors = anchorIn(context, layer, recomputed.initial);
  return layer.form === 'diagonal' ? clipped(recomputed, layer, weights) : projectedRows(layer, weights, anchors);
}

function projectedRows(layer: LayerBound, { values, bound }: Bounded, anchors: ArrayLike<number>): Bounded {
  const { form, rows, radii } = layer;
  if (form === 'diagonal') throw new TypeError(`${layer.name} is a diagonal`);
  const matrix = { weights: values, anchors, rows };
  const out = projected(form, matrix, radii);
  const norms = boundedNorms(form, matrix);
  const length = values.length / rows;
  const around = new Float64Array(values.length);
  const isByRow = form === 'row-radial' || form === 'row-l1-exact';
  for (let row = 0; row < rows; row++) {
    const [from, to] = [row * length, (row + 1) * length];
    const spread = isByRow ? sumOf(bound, from, to) : sumOf(bound, 0, bound.length);
    const isInside = norms[row]! * (1 + NORM_ERROR) + spread < radii[row]!;
    // How far the factor (radial), or the threshold shared by the elements that are left (exact), may be off.
    const relative = norms[row]! > 0 ? NORM_ERROR + spread / norms[row]! : 0;
    const shift = (relative * norms[row]!) / Math.max(1, countMoved(out, anchors, from, to));
    for (let i = from; i < to; i++) {
      const change = form === 'row-l1-exact' ? shift : relative * Math.abs(values[i]! - anchors[i]!);
      around[i] = isInside ? bound[i]! : bound[i]! + change + roundings(out[i]!, anchors[i]!);
    }
  }
  return { values: out, bound: around };
}

/** Of w⁰ + (w − w⁰)·s in float32. */
export const roundings = (weight: number, anchor: number): number =>
  3 * ROUNDING * (Math.abs(weight) + Math.abs(anchor));

export function sumOf(values: ArrayLike<number>, from: number, to: number): number {
  let sum = 0;
  for (let i = from; i < to; i++) sum += values[i]!;
  return sum;
}

function countMoved(values: Float64Array, anchors: ArrayLike<number>, from: number, to: number): number {
  let moved = 0;
  for (let i = from; i < to; i++) if (values[i] !== anchors[i]) moved++;
  return moved;
}

function clipped(recomputed: RecomputedStep, { name, radii }: LayerBound, { values, bound }: Bounded): Bounded {
  // The forward pass of this step moved the running variance before the projection read it.
  const variance = need(recomputed.after, `${name}.running_var`, recomputed.step.folder);
  const anchorGamma = need(recomputed.initial, `${name}.weight`, 'the initial model');
  const anchorVariance = need(recomputed.initial, `${name}.running_var`, 'the initial model');
  const gamma = clippedGamma({ gamma: values, variance, anchorGamma, anchorVariance }, radii);
  const around = bound.map((own, c) => {
    if (gamma[c] === values[c] && Math.abs(radii[c]!) === Number.POSITIVE_INFINITY) return own;
    const deviation = Math.sqrt(variance[c]! + DIAGONAL_EPSILON);
    const anchor = Math.abs(anchorGamma[c]!) / Math.sqrt(anchorVariance[c]! + DIAGONAL_EPSILON);
    return own + 16 * ROUNDING * (Math.abs(values[c]!) + (anchor + radii[c]!) * deviation);
  });
  return { values: gamma, bound: around };
}
