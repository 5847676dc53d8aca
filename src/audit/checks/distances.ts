/** How far every layer moved, recomputed from the pre-trained and the published weights. */
import type { AuditContext, Check } from '../context.ts';
import { outcomeOf, skipped } from '../verdict.ts';
import { anchorOf, boundsOf, type LayerFacts, layersOf } from './layerBounds.ts';
import { diagonalDistances, frobenius, largest, rowNorms } from './math/balls.ts';
import { ROUNDING } from './math/updates.ts';
import { count, Findings, float64Session, initialState, need, type Values, valuesOf } from './support.ts';

/** A line of distances.json, or of the log's `distances`. */
interface Reported {
  readonly layer: string;
  readonly mars: number;
  readonly frobenius: number;
  readonly radius?: number | null;
}

interface Moved {
  readonly mars: number;
  readonly frobenius: number;
  /** What the rounding of stored weights may make of it. */
  readonly rounding: number;
}

export const distances: Check = {
  id: 'distances',
  title: 'The distances are right',
  question: 'Did every layer move as far from the pre-trained weights as the run says?',
  async run(context) {
    const published = await context.weights();
    if (!published) return skipped('The run has no published weights: it is not complete.');
    const settings = context.config.settings.regularization;
    const findings = new Findings();
    const { model } = await float64Session(context);
    const initial = await initialState(context);
    const layers = layersOf(model, settings);
    const state = valuesOf(published);
    const moved = new Map(layers.map((layer) => [layer.name, movedBy(layer, initial, state, context)]));
    const reported = await readDistances(context, findings);
    compare('distances.json', reported, moved, findings);
    checkRadii(reported, boundsOf(layers, initial, settings), findings);
    const isLast = settings.method !== 'tpgm' && context.config.settings.optimizer.ema === null;
    const last = context.log.filter(({ type }) => type === 'distances').at(-1);
    if (isLast && last)
      compare(`log.ndjson, distances after epoch ${String(last.epoch)}`, last.layers as Reported[], moved, findings);
    const most = Math.max(...[...moved.values()].map(({ mars }) => mars));
    const rows = [...moved].map(([layer, { mars, frobenius }]) => ({
      layer,
      values: { 'MARS distance': mars, 'Frobenius distance': frobenius },
    }));
    return outcomeOf(
      findings.failed
        ? `${count(findings.failed, 'distance')} not as the run says.`
        : `Both distances of ${count(moved.size, 'layer')} are as the run says; the largest MARS distance is ${most.toPrecision(4)}.`,
      findings.list(),
      { layers: rows },
    );
  },
};

function movedBy(layer: LayerFacts, initial: Values, state: Values, { config }: AuditContext): Moved {
  const weights = need(state, `${layer.name}.weight`, 'weights.safetensors');
  if (layer.kind === 'batchNorm2d') {
    const variance = need(state, `${layer.name}.running_var`, 'weights.safetensors');
    const anchorGamma = need(initial, `${layer.name}.weight`, 'the initial model');
    const anchorVariance = need(initial, `${layer.name}.running_var`, 'the initial model');
    const own = diagonalDistances({ gamma: weights, variance, anchorGamma, anchorVariance });
    const size = largest(Float64Array.from(weights, (gamma, c) => Math.abs(gamma) / Math.sqrt(variance[c]! + 1e-6)));
    return { mars: largest(own), frobenius: Math.hypot(...own), rounding: 32 * ROUNDING * size };
  }
  const anchors = anchorOf(layer, initial, config.settings.regularization);
  const rows = rowNorms({ weights, anchors, rows: layer.rows });
  const sums = rowNorms({ weights, anchors: new Float64Array(weights.length), rows: layer.rows });
  return { mars: largest(rows), frobenius: frobenius({ weights, anchors }), rounding: 2 * ROUNDING * largest(sums) };
}

async function readDistances({ files }: AuditContext, findings: Findings): Promise<Reported[]> {
  if (!files.exists('distances.json')) {
    findings.fail('distances.json', 'is missing');
    return [];
  }
  return JSON.parse(new TextDecoder().decode(await files.read('distances.json'))) as Reported[];
}

/** Both norms, to 10⁻⁵ of themselves: they were added up in float32. */
function compare(
  place: string,
  reported: readonly Reported[],
  moved: ReadonlyMap<string, Moved>,
  findings: Findings,
): void {
  const named = new Map(reported.map((layer) => [layer.layer, layer]));
  for (const [name, own] of moved) {
    const said = named.get(name);
    if (!said) {
      findings.fail(`${place}, ${name}`, 'is missing');
      continue;
    }
    for (const norm of ['mars', 'frobenius'] as const) {
      const slack = 1e-5 * own[norm] + own.rounding;
      if (Math.abs(said[norm] - own[norm]) <= slack) continue;
      findings.fail(
        `${place}, ${name}`,
        `its ${norm} distance is said to be ${said[norm]}; from the weights follows ${own[norm]}`,
        {
          value: said[norm],
          limit: own[norm],
        },
      );
    }
  }
  for (const name of named.keys())
    if (!moved.has(name)) findings.fail(`${place}, ${name}`, 'the network has no such layer');
}

/** The radii that the run says it used, against the settings. */
function checkRadii(
  reported: readonly Reported[],
  bounds: readonly { readonly name: string; readonly radii: Float64Array }[],
  findings: Findings,
): void {
  const radii = new Map(bounds.map(({ name, radii }) => [name, largest(radii)]));
  for (const { layer, radius } of reported) {
    const own = radii.get(layer) ?? null;
    if (radius === undefined || radius === own) continue;
    if (radius !== null && own !== null && Math.abs(radius - own) <= 1e-5 * own) continue;
    findings.fail(
      `distances.json, ${layer}`,
      `its radius is said to be ${radius ?? 'none'}; the settings give ${own ?? 'none'}`,
    );
  }
}
