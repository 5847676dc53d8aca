/** Which radius a layer has. */
import type { BallOptions } from './ball.ts';
import type { ConstrainableLayer } from './layers.ts';

/** The radius of a layer; undefined where the rule has no opinion. */
export type RadiusRule = (layer: ConstrainableLayer) => number | undefined;

/** The rule, then the two numbers. Throws where a radius is none. */
export function radiusRule(options: BallOptions): (layer: ConstrainableLayer) => number {
  for (const name of ['extractor', 'classifier'] as const) checkRadius(options[name], `the ${name} radius`);
  return (layer) => {
    if (layer.kind === 'batchNorm2d' && options.batchNorm === false) return Number.POSITIVE_INFINITY;
    const own = options.radii?.(layer);
    if (own !== undefined) checkRadius(own, `the radius of ${layer.name}`);
    return own ?? (layer.isHead ? options.classifier : options.extractor);
  };
}

function checkRadius(radius: number, what: string): void {
  if (!(radius >= 0)) throw new RangeError(`ball: ${what} is ${radius}; it must be a number ≥ 0`);
}

/**
 * RegSL's layer-wise radii (Li & Zhang, "Improved Regularization and Robustness for Fine-tuning in Neural Networks", NeurIPS 2021):
 * D, D, D·s, D·s² for the four stages of a ResNet, the stem free. For any model: a stage is a part of it that holds several
 * matrices (Conv2d, Linear); the first two get D, each further one s times the radius of the one before; what lies outside of all stages
 * is free. Where one part alone holds several (EfficientNet's `blocks`), its parts are the stages.
 *
 *   marsBall(model, { extractor: D, classifier: C, radii: depthScaled(constrainableLayers(model), D, s) })
 */
export function depthScaled(layers: readonly ConstrainableLayer[], radius: number, factor: number): RadiusRule {
  checkRadius(radius, 'the radius');
  if (!(factor > 0)) throw new RangeError(`depthScaled: the factor is ${factor}; it must be > 0`);
  const matrices = layers.filter(({ kind, isHead }) => kind !== 'batchNorm2d' && !isHead);
  const stages = stagesOf(matrices.map(({ name }) => name));
  return ({ name, isHead }) => {
    if (isHead) return undefined;
    const stage = stages.findIndex((prefix) => name.startsWith(prefix));
    return stage < 0 ? Number.POSITIVE_INFINITY : radius * factor ** Math.max(0, stage - 1);
  };
}

/** The prefixes (`layer1.`) of the parts that hold several of these layers, in order. */
function stagesOf(names: readonly string[], prefix = ''): string[] {
  const counts = new Map<string, number>();
  for (const name of names) {
    if (!name.startsWith(prefix) || !name.slice(prefix.length).includes('.')) continue;
    const part = `${prefix}${name.slice(prefix.length).split('.')[0]}.`;
    counts.set(part, (counts.get(part) ?? 0) + 1);
  }
  const parts = [...counts].filter(([, count]) => count > 1).map(([part]) => part);
  if (parts.length !== 1) return parts;
  const inner = stagesOf(names, parts[0]);
  return inner.length > 1 ? inner : parts;
}
