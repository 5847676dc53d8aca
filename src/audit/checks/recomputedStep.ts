/** A recorded step's update, recomputed in float64 from its gradient and state: before what is chained to the optimiser, and after it. */
import { layerwiseGroups } from '../../nn/index.ts';
import type { AuditContext, RecordedStep } from '../context.ts';
import { anchorOf, boundsOf, type LayerBound, type LayerFacts, layersOf } from './layerBounds.ts';
import { type Bounded, type Updated, updated } from './math/updates.ts';
import { float64Session, initialState, momentsOf, need, type Values, valuesOf } from './support.ts';

/** One parameter in one step. */
export interface ParameterStep {
  readonly name: string;
  readonly trains: boolean;
  readonly before: ArrayLike<number>;
  readonly gradient: ArrayLike<number>;
  /** What the optimiser makes of it, before the projection. */
  readonly update: Updated;
  /** As recorded. */
  readonly after: ArrayLike<number>;
  readonly momentsAfter: Readonly<Record<string, ArrayLike<number>>>;
}

export interface RecomputedStep {
  readonly step: RecordedStep;
  readonly parameters: ReadonlyMap<string, ParameterStep>;
  readonly layers: readonly LayerFacts[];
  readonly bounds: readonly LayerBound[];
  readonly initial: Values;
  readonly before: Values;
  /** The model as recorded, statistics included. */
  readonly after: Values;
}

const recomputed = new WeakMap<RecordedStep, Promise<RecomputedStep>>();

export function recompute(context: AuditContext, step: RecordedStep): Promise<RecomputedStep> {
  let own = recomputed.get(step);
  if (!own) {
    own = recomputeAnew(context, step);
    recomputed.set(step, own);
  }
  return own;
}

const MOMENTS = {
  sgd: ['velocity'],
  adam: ['mean', 'square', 'largest'],
  adamw: ['mean', 'square', 'largest'],
} as const;

async function recomputeAnew(context: AuditContext, step: RecordedStep): Promise<RecomputedStep> {
  const { optimizer, regularization } = context.config.settings;
  const [{ model }, initial] = [await float64Session(context), await initialState(context)];
  const { headScale, layerDecay: decay } = optimizer;
  const scales = new Map(
    layerwiseGroups(model, { headScale, decay }).flatMap(({ parameters, learningRateScale }) =>
      parameters.map((parameter) => [parameter, learningRateScale] as const),
    ),
  );
  const [before, after, gradients] = [step.before.model, step.after.model, step.gradients].map(valuesOf) as [
    Values,
    Values,
    Values,
  ];
  const names = MOMENTS[optimizer.name];
  const [old, now] = [momentsOf(step, step.before.optimizer, names), momentsOf(step, step.after.optimizer, names)];
  const trainable = new Set(step.file.trainable);
  const parameters = new Map<string, ParameterStep>();
  for (const [name, parameter] of model.namedParameters()) {
    const where = step.folder;
    const own = {
      weights: need(before, name, `${where} (before)`),
      gradient: need(gradients, name, `${where} (gradient)`),
      moments: old.get(name) ?? {},
      learningRate: step.file.learningRate * (scales.get(parameter) ?? 1),
      step: step.step,
    };
    for (const moment of names)
      if (!own.moments[moment] && (moment !== 'largest' || optimizer.amsgrad))
        throw new Error(`${where} holds no ${moment} of ${name}.`);
    parameters.set(name, {
      name,
      trains: trainable.has(name),
      before: own.weights,
      gradient: own.gradient,
      update: updated(optimizer, own),
      after: need(after, name, `${where} (after)`),
      momentsAfter: now.get(name) ?? {},
    });
  }
  const layers = layersOf(model, regularization);
  const bounds = boundsOf(layers, initial, regularization, (name) => trainable.has(name));
  return { step, parameters, layers, bounds, initial, before, after };
}

/** W⁰ of a layer in this run. */
export const anchorIn = (context: AuditContext, layer: LayerFacts, initial: Values): ArrayLike<number> =>
  anchorOf(layer, initial, context.config.settings.regularization);

/** The element that is farthest beyond its bound, as a multiple of it. */
export function worstElement(got: ArrayLike<number>, { values, bound }: Bounded): { index: number; excess: number } {
  let worst = { index: 0, excess: 0 };
  for (let i = 0; i < values.length; i++) {
    const excess = Math.abs(got[i]! - values[i]!) / Math.max(bound[i]!, Number.MIN_VALUE);
    if (!(excess <= worst.excess))
      worst = { index: i, excess: Number.isNaN(excess) ? Number.POSITIVE_INFINITY : excess };
  }
  return worst;
}
