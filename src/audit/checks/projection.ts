/**
 * The ball, row by row, in the recorded steps, in the published weights and in the distances that were logged after every epoch.
 *
 * A distance may be the radius times (1 + 10⁻⁵), for norms that are added up in float32, plus 2⁻²⁴·Σ(|w| + |t|) for weights that are
 * stored in float32. That is 10⁻⁵ of the radius in all but tiny balls, a tenth of what would be a violation worth the name.
 */
import type { AuditContext, Check } from '../context.ts';
import { outcomeOf, skipped } from '../verdict.ts';
import { projectedLayer } from './chained.ts';
import { boundsOf, type LayerBound, layersOf } from './layerBounds.ts';
import { boundedNorms, DIAGONAL_EPSILON, diagonalDistances, projected } from './math/balls.ts';
import { ROUNDING } from './math/updates.ts';
import { anchorIn, type RecomputedStep, recompute, worstElement } from './recomputedStep.ts';
import { brief, count, Findings, float64Session, initialState, need, type Values, valuesOf } from './support.ts';

export const RELATIVE_LIMIT = 1e-5;

export const projection: Check = {
  id: 'projection',
  title: 'The weights stayed in their balls',
  question:
    'Is every row of every layer within its radius around the pre-trained weights, and was it brought there by the closed formula and by nothing else?',
  async run(context) {
    const settings = context.config.settings.regularization;
    const { method } = settings;
    if (method !== 'mars-pgm' && method !== 'l2-pgm')
      return skipped(`The method ${method} bounds no layer by a given radius.`);
    const findings = new Findings();
    const { model } = await float64Session(context);
    const initial = await initialState(context);
    const bounds = boundsOf(layersOf(model, settings), initial, settings);
    const ratios = new Map<string, number>();
    let rows = 0;
    for (const step of context.steps) {
      const recomputed = await recompute(context, step);
      for (const layer of recomputed.bounds) {
        rows += layer.rows;
        checkLayer(context, layer, initial, recomputed.after, `step ${step.step}`, findings);
        checkClosedForm(context, recomputed, layer, findings);
      }
      checkWorstRatio(context, recomputed, findings);
    }
    const published = await context.weights();
    const isAverage = context.config.settings.optimizer.ema !== null;
    if (isAverage)
      findings.note('weights.safetensors', 'holds an average of the weights, which need not lie in the balls');
    else if (published) {
      for (const layer of bounds) {
        rows += layer.rows;
        ratios.set(
          layer.name,
          checkLayer(context, layer, initial, valuesOf(published), 'weights.safetensors', findings),
        );
      }
    }
    const epochs = checkLoggedDistances(context, bounds, findings);
    const largest = Math.max(0, ...ratios.values());
    const summary = findings.failed
      ? `${count(findings.failed, 'row or layer')} out of its ball, or moved by something else than the projection.`
      : `${count(rows, 'row')} of ${count(bounds.length, 'layer')} recomputed, and ${count(epochs, 'epoch')} of logged distances: none beyond its radius; the largest distance/radius of the published weights is ${largest.toFixed(6)}.`;
    const layers = [...ratios].map(([layer, ratio]) => ({ layer, values: { 'distance / radius': ratio } }));
    return outcomeOf(summary, findings.list(), { layers });
  },
};

/** (rows) distances, and how much of each may be the rounding of the stored weights. */
function measured(
  context: AuditContext,
  layer: LayerBound,
  initial: Values,
  state: Values,
): { distances: Float64Array; rounding: Float64Array } {
  const weights = need(state, `${layer.name}.weight`, 'the state');
  if (layer.form === 'diagonal') {
    const anchorGamma = need(initial, `${layer.name}.weight`, 'the initial model');
    const anchorVariance = need(initial, `${layer.name}.running_var`, 'the initial model');
    const variance = need(state, `${layer.name}.running_var`, 'the state');
    const distances = diagonalDistances({ gamma: weights, variance, anchorGamma, anchorVariance });
    const rounding = distances.map((_, c) => {
      const own = Math.abs(weights[c]!) / Math.sqrt(variance[c]! + DIAGONAL_EPSILON);
      return 16 * ROUNDING * (own + Math.abs(anchorGamma[c]!) / Math.sqrt(anchorVariance[c]! + DIAGONAL_EPSILON));
    });
    return { distances, rounding };
  }
  const anchors = anchorIn(context, layer, initial);
  const distances = boundedNorms(layer.form, { weights, anchors, rows: layer.rows });
  return { distances, rounding: storageRounding(layer, weights, anchors) };
}

/** (rows) what float32 storage of w and of w − w⁰ may add to a norm: summed along a row; of a Frobenius norm, in quadrature. */
function storageRounding(
  { form, rows }: LayerBound,
  weights: ArrayLike<number>,
  anchors: ArrayLike<number>,
): Float64Array {
  const length = weights.length / rows;
  const own = new Float64Array(rows);
  let squares = 0;
  for (let i = 0; i < weights.length; i++) {
    const size = ROUNDING * (Math.abs(weights[i]!) + Math.abs(weights[i]! - anchors[i]!));
    own[Math.floor(i / length)]! += size;
    squares += size * size;
  }
  if (form === 'frobenius') return own.fill(Math.sqrt(squares));
  return form === 'matrix-radial' ? own.fill(own.reduce((most, one) => Math.max(most, one), 0)) : own;
}

/** Feasible, and left alone by a second projection. Returns the largest distance/radius. */
function checkLayer(
  context: AuditContext,
  layer: LayerBound,
  initial: Values,
  state: Values,
  place: string,
  findings: Findings,
): number {
  const { distances, rounding } = measured(context, layer, initial, state);
  let largest = 0;
  for (let row = 0; row < layer.rows; row++) {
    const radius = layer.radii[row]!;
    const limit = radius * (1 + RELATIVE_LIMIT) + rounding[row]!;
    if (distances[row]! > 0)
      largest = Math.max(largest, radius > 0 ? distances[row]! / radius : Number.POSITIVE_INFINITY);
    if (distances[row]! <= limit) continue;
    findings.fail(
      `${place}, ${layer.name}, ${layer.form === 'diagonal' ? 'channel' : 'row'} ${row}`,
      `its distance is ${distances[row]}, its radius ${radius}: ${brief(100 * (distances[row]! / radius - 1))} % too far`,
      { value: distances[row]!, limit },
    );
  }
  if (layer.form !== 'diagonal') checkIdempotent(context, layer, initial, state, place, findings);
  return largest;
}

/** Projecting what was projected moves no row by more than what it may be too far. */
function checkIdempotent(
  context: AuditContext,
  layer: LayerBound,
  initial: Values,
  state: Values,
  place: string,
  findings: Findings,
): void {
  if (layer.form === 'diagonal') return;
  const weights = need(state, `${layer.name}.weight`, 'the state');
  const anchors = anchorIn(context, layer, initial);
  const again = projected(layer.form, { weights, anchors, rows: layer.rows }, layer.radii);
  const rounding = storageRounding(layer, weights, anchors);
  const length = weights.length / layer.rows;
  for (let row = 0; row < layer.rows; row++) {
    let moved = 0;
    for (let i = row * length; i < (row + 1) * length; i++) moved += Math.abs(again[i]! - weights[i]!);
    // A Frobenius norm is at least the L1 norm over the root of its length.
    const limit =
      (layer.radii[row]! * RELATIVE_LIMIT + rounding[row]!) *
      (layer.form === 'frobenius' ? Math.sqrt(weights.length) : 1) *
      1.001;
    if (moved > limit)
      findings.fail(`${place}, ${layer.name}, row ${row}`, `projected once more, it moves by ${brief(moved)}`, {
        value: moved,
        limit,
      });
  }
}

/** The recorded weights are the closed form of what the optimiser made; rows inside the ball are that, untouched. */
function checkClosedForm(
  context: AuditContext,
  recomputed: RecomputedStep,
  layer: LayerBound,
  findings: Findings,
): void {
  const { step } = recomputed;
  const { after, update } = recomputed.parameters.get(`${layer.name}.weight`)!;
  const expected = projectedLayer(context, recomputed, layer);
  const { index, excess } = worstElement(after, expected);
  if (excess <= 1) return;
  const row = Math.floor(index / (after.length / layer.rows));
  const isUntouched = expected.values[index] === update.weights.values[index];
  const what = isUntouched
    ? 'lies inside its ball and should have been left alone'
    : 'is not where the closed formula puts it';
  findings.fail(
    `step ${step.step}, ${layer.name}, row ${row}`,
    `${what}: ${after[index]} instead of ${expected.values[index]}`,
    {
      value: after[index]!,
      limit: expected.values[index]!,
    },
  );
}

/** What the step itself said of its largest distance/radius. */
function checkWorstRatio(context: AuditContext, recomputed: RecomputedStep, findings: Findings): void {
  const { step, bounds, after, initial } = recomputed;
  const said = step.file.metrics.worstRatio;
  if (said === null || bounds.length === 0) return;
  let [most, slack] = [0, 0];
  for (const layer of bounds) {
    const { distances, rounding } = measured(context, layer, initial, after);
    for (let row = 0; row < layer.rows; row++) {
      const radius = Math.max(layer.radii[row]!, 1e-30);
      most = Math.max(most, distances[row]! / radius);
      slack = Math.max(slack, rounding[row]! / radius);
    }
  }
  if (Math.abs(said - most) <= RELATIVE_LIMIT * Math.max(1, most) + 2 * slack) return;
  findings.fail(`step ${step.step}`, `says that its largest distance/radius is ${said}; it is ${most}`, {
    value: said,
    limit: most,
  });
}

interface LoggedLayer {
  readonly layer: string;
  readonly mars: number;
  readonly frobenius: number;
}

/** Returns how many epochs' distances were compared. */
function checkLoggedDistances(
  { log, config }: AuditContext,
  bounds: readonly LayerBound[],
  findings: Findings,
): number {
  const lines = log.filter(({ type }) => type === 'distances');
  const form = config.settings.regularization.method === 'l2-pgm' ? 'frobenius' : 'mars';
  for (const line of lines) {
    const layers = new Map((line.layers as readonly LoggedLayer[]).map((layer) => [layer.layer, layer]));
    for (const { name, form: own, radii } of bounds) {
      const norm = own === 'diagonal' ? 'mars' : form;
      const distance = layers.get(name)?.[norm];
      const radius = radii.reduce((most, one) => Math.max(most, one), 0);
      const place = `log.ndjson, distances after epoch ${String(line.epoch)}, ${name}`;
      if (distance === undefined) findings.fail(place, 'is missing');
      else if (distance > radius * (1 + 2 * RELATIVE_LIMIT))
        findings.fail(place, `its ${norm} distance is ${distance}, its radius ${radius}`, {
          value: distance,
          limit: radius,
        });
    }
  }
  for (const line of log) {
    const ratios =
      line.type === 'steps'
        ? (line.worstRatio as (number | null)[])
        : line.type === 'epoch'
          ? [line.worstRatio as number | null]
          : [];
    for (const [i, ratio] of ratios.entries()) {
      if (ratio === null || ratio <= 1 + 2 * RELATIVE_LIMIT) continue;
      const step = line.type === 'steps' ? Number(line.first) + i : line.step;
      findings.fail(`log.ndjson, ${line.type}, step ${step}`, `says that a row was at ${ratio} times its radius`, {
        value: ratio,
        limit: 1 + 2 * RELATIVE_LIMIT,
      });
    }
  }
  return lines.length;
}
