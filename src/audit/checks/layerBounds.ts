/** Which rows of a run's layers are bounded, by what radius, and from where: from the settings alone. */

import type { Classifier } from '../../nn/index.ts';
import { constrainableLayers } from '../../regularizers/index.ts';
import type { RegularizationSettings } from '../../train/index.ts';
import { type BallForm, boundedNorms, diagonalDistances } from './math/balls.ts';
import { need, type Values } from './support.ts';

export interface LayerFacts {
  /** `layer1.0.conv1`. */
  readonly name: string;
  readonly kind: 'conv2d' | 'linear' | 'batchNorm2d';
  readonly isHead: boolean;
  /** As the run counts them; of BatchNorm, its channels. */
  readonly rows: number;
}

export interface LayerBound extends LayerFacts {
  readonly form: BallForm | 'diagonal';
  /** (rows) */
  readonly radii: Float64Array;
}

export function layersOf(model: Classifier, { depthwiseRows }: RegularizationSettings): LayerFacts[] {
  return constrainableLayers(model).map(({ name, kind, isHead, isDepthwise, weight }) => {
    const isWhole = isDepthwise && depthwiseRows === 'kernel';
    return { name, kind, isHead, rows: isWhole ? 1 : weight.shape[0]! };
  });
}

/** W⁰ of a layer's weight: of the classifier zero, where it is tied to that. */
export function anchorOf(layer: LayerFacts, initial: Values, settings: RegularizationSettings): ArrayLike<number> {
  const own = need(initial, `${layer.name}.weight`, 'the initial model');
  return layer.isHead && settings.headAnchor === 'zero' ? new Float64Array(own.length) : own;
}

/** The layers with a finite radius; none where the method projects nothing. `trains`: a layer that does not train is left alone. */
export function boundsOf(
  layers: readonly LayerFacts[],
  initial: Values,
  settings: RegularizationSettings,
  trains: (parameter: string) => boolean = () => true,
): LayerBound[] {
  const { method, projection, batchNorm, relative } = settings;
  if (method !== 'mars-pgm' && method !== 'l2-pgm') return [];
  const matrixForm: BallForm = method === 'l2-pgm' ? 'frobenius' : projection;
  const radiusOf = radii(layers, settings);
  return layers.flatMap((layer): LayerBound[] => {
    const isDiagonal = layer.kind === 'batchNorm2d';
    const radius = isDiagonal && !batchNorm ? Number.POSITIVE_INFINITY : radiusOf(layer);
    if (!Number.isFinite(radius) || !trains(`${layer.name}.weight`)) return [];
    const form = isDiagonal ? 'diagonal' : matrixForm;
    const scales = relative && !layer.isHead ? anchorNorms(layer, initial, matrixForm) : null;
    return [
      { ...layer, form, radii: Float64Array.from({ length: layer.rows }, (_, row) => radius * (scales?.[row] ?? 1)) },
    ];
  });
}

/** (rows) what a relative radius is a multiple of: the pre-trained norm of what it bounds. */
function anchorNorms(layer: LayerFacts, initial: Values, form: BallForm): Float64Array {
  const weights = need(initial, `${layer.name}.weight`, 'the initial model');
  const zeros = new Float64Array(weights.length);
  if (layer.kind !== 'batchNorm2d') return boundedNorms(form, { weights, anchors: zeros, rows: layer.rows });
  const variance = need(initial, `${layer.name}.running_var`, 'the initial model');
  return diagonalDistances({ gamma: weights, variance, anchorGamma: zeros, anchorVariance: variance });
}

/** One radius for the extractor, one for the classifier; or D, D, D·s, D·s², … over the stages, what is outside of them free. */
function radii(
  layers: readonly LayerFacts[],
  { extractor, classifier, depthFactor }: RegularizationSettings,
): (layer: LayerFacts) => number {
  const [inner, outer] = [extractor ?? Number.POSITIVE_INFINITY, classifier ?? Number.POSITIVE_INFINITY];
  if (depthFactor === 1) return ({ isHead }) => (isHead ? outer : inner);
  const stages = stagesOf(
    layers.filter(({ kind, isHead }) => kind !== 'batchNorm2d' && !isHead).map(({ name }) => name),
  );
  return ({ name, isHead }) => {
    if (isHead) return outer;
    const stage = stages.findIndex((prefix) => name.startsWith(prefix));
    return stage < 0 ? Number.POSITIVE_INFINITY : inner * depthFactor ** Math.max(0, stage - 1);
  };
}

/** `layer1.`, …: the parts with several matrices; of a single such part, its own parts. */
function stagesOf(names: readonly string[]): string[] {
  const partsUnder = (prefix: string): string[] => {
    const inside = names.filter((name) => name.startsWith(prefix) && name.slice(prefix.length).includes('.'));
    const parts = inside.map((name) => name.slice(0, name.indexOf('.', prefix.length) + 1));
    return [...new Set(parts)].filter((part) => parts.filter((other) => other === part).length > 1);
  };
  const from = (prefix: string): string[] => {
    const parts = partsUnder(prefix);
    if (parts.length !== 1) return parts;
    const inner = from(parts[0]!);
    return inner.length > 1 ? inner : parts;
  };
  return from('');
}
