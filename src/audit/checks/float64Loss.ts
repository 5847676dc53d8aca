/**
 * The loss of a recorded step in float64, at the weights that it began with and at others near them.
 *
 * The network runs on the reference device; the cross-entropy of its logits is computed here. What every layer gave out at the first
 * pass is kept: at weights that differ in one layer alone, the layers that ran before it need not run again.
 */
import { noGrad } from '../../autograd/tape.ts';
import type { Batch } from '../../data/index.ts';
import { BatchNorm2d, type Module } from '../../nn/index.ts';
import { setDefaultDevice, tensor } from '../../tensor/create.ts';
import { keep, scope } from '../../tensor/scope.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import type { AuditContext, AuditSession, RecordedStep } from '../context.ts';
import { float64Session } from './support.ts';

export interface LossParts {
  /** Cross-entropy, mean over the step's images, in nats. */
  readonly loss: number;
  /** Sum of the penalties; 0 without any. */
  readonly penalty: number;
}

/** A BatchNorm's batch statistics, from what went into it. */
export interface BatchStatistics {
  /** The module's name. */
  readonly name: string;
  readonly mean: Float64Array;
  /** The unbiased one: divided by the number of values − 1. */
  readonly variance: Float64Array;
  readonly momentum: number;
}

/** One call of a module without parts. */
interface Call {
  readonly name: string;
  readonly output: Tensor;
}

const opened = new WeakMap<RecordedStep, Promise<Float64Loss>>();

/** One for each step; `release` frees what it keeps of the layers, and it starts anew when it is asked again. */
export function float64Loss(context: AuditContext, step: RecordedStep): Promise<Float64Loss> {
  let own = opened.get(step);
  if (!own) {
    own = Float64Loss.open(context, step);
    opened.set(step, own);
  }
  return own;
}

export class Float64Loss {
  readonly session: AuditSession;
  readonly step: RecordedStep;
  readonly labelSmoothing: number;
  /** In the order of the forward pass; once for every batch of the step. */
  readonly statistics: BatchStatistics[] = [];
  /** At the weights that the step began with. */
  base: LossParts = { loss: Number.NaN, penalty: Number.NaN };
  private readonly batches: readonly Batch[];
  /** By batch. */
  private calls: Call[][] | null = null;

  private constructor(session: AuditSession, step: RecordedStep, batches: readonly Batch[], labelSmoothing: number) {
    this.session = session;
    this.step = step;
    this.batches = batches;
    this.labelSmoothing = labelSmoothing;
  }

  static async open(context: AuditContext, step: RecordedStep): Promise<Float64Loss> {
    const session = await float64Session(context);
    const own = new Float64Loss(session, step, await session.batches(step), context.config.settings.labelSmoothing);
    await own.first();
    return own;
  }

  /** The pass that is kept. */
  private async first(): Promise<void> {
    this.calls = this.batches.map(() => []);
    this.statistics.length = 0;
    const inputs: { module: BatchNorm2d; name: string; input: Tensor }[] = [];
    this.base = await this.pass(new Map(), (name, module, input, forward, batch) => {
      const output = forward(input);
      if (module instanceof BatchNorm2d && module.mode === 'train') inputs.push({ module, name, input: keep(input) });
      this.calls![batch]!.push({ name, output: keep(output) });
      return output;
    });
    for (const { module, name, input } of inputs) {
      this.statistics.push({ name, momentum: module.momentum, ...momentsOf(await input.data(), input.shape) });
      if (!this.calls.some((calls) => calls.some(({ output }) => output === input))) input.dispose();
    }
  }

  /** At the step's weights, but for these parameters. */
  async at(changed: ReadonlyMap<string, Float64Array>): Promise<LossParts> {
    if (!this.calls) await this.first();
    const owners = new Set([...changed.keys()].map((name) => name.slice(0, name.lastIndexOf('.'))));
    const first = this.calls!.map((calls) => calls.findIndex(({ name }) => owners.has(name)));
    const done = this.batches.map(() => 0);
    return this.pass(changed, (_, __, input, forward, batch) => {
      const call = done[batch]!++;
      return call < first[batch]! ? this.calls![batch]![call]!.output : forward(input);
    });
  }

  /** Frees what is kept of the layers. */
  release(): void {
    for (const { output } of this.calls?.flat() ?? []) output.dispose();
    this.calls = null;
  }

  private async pass(changed: ReadonlyMap<string, Float64Array>, onCall: OnCall): Promise<LossParts> {
    const { session, step } = this;
    const { model, device, penalties } = session;
    session.enter(step);
    setDefaultDevice(device);
    model.train();
    const shapes = model.namedParameters();
    model.loadStateDict(new Map([...changed].map(([name, data]) => [name, { shape: shapes.get(name)!.shape, data }])), {
      strict: false,
    });
    const total = this.batches.reduce((sum, { labels }) => sum + labels.length, 0);
    let [loss, penalty] = [0, 0];
    for (const [i, batch] of this.batches.entries()) {
      const share = batch.labels.length / total;
      const release = interceptLeaves(model, (name, module, input, forward) => onCall(name, module, input, forward, i));
      let results: { logits: Tensor; terms: Tensor[] };
      try {
        results = scope(() =>
          noGrad(() => {
            const images = tensor(batch.images, { shape: batch.shape, device });
            const logits = model.forward(images);
            return { logits, terms: penalties.map((one) => one.loss(images)) };
          }),
        );
      } finally {
        release();
      }
      loss += share * crossEntropyOf((await results.logits.data()) as Float64Array, batch, this.labelSmoothing);
      for (const term of results.terms) penalty += share * (await term.item());
      for (const one of [results.logits, ...results.terms]) one.dispose();
    }
    return { loss, penalty };
  }
}

type Forward = (input: Tensor) => Tensor;
type OnCall = (name: string, module: Module, input: Tensor, forward: Forward, batch: number) => Tensor;

/** Puts `onCall` in the place of every module without parts; the returned function takes it away again. */
function interceptLeaves(
  model: Module,
  onCall: (name: string, module: Module, input: Tensor, forward: Forward) => Tensor,
): () => void {
  const undo: (() => void)[] = [];
  for (const [name, module] of model.namedModules()) {
    if (module.namedChildren().size > 0) continue;
    const own = Object.getOwnPropertyDescriptor(module, 'forward');
    const before = module.forward.bind(module);
    const value = (input: Tensor) => onCall(name, module, input, before);
    Object.defineProperty(module, 'forward', { value, configurable: true, writable: true, enumerable: false });
    undo.push(() => {
      if (own) Object.defineProperty(module, 'forward', own);
      else Reflect.deleteProperty(module, 'forward');
    });
  }
  return () => {
    for (const one of undo) one();
  };
}

/**
 * Mean over the images of −Σ_c t_c·log softmax(z)_c: t has 1 − ε + ε/C at the label and ε/C elsewhere; of a mixed batch, the labels' and
 * their partners' by their shares. logits (N, C).
 */
export function crossEntropyOf(
  logits: Float64Array,
  { labels, mix }: Pick<Batch, 'labels' | 'mix'>,
  smoothing: number,
): number {
  const classes = logits.length / labels.length;
  const against = (targets: ArrayLike<number>) => {
    let sum = 0;
    for (let n = 0; n < labels.length; n++) {
      const row = logits.subarray(n * classes, (n + 1) * classes);
      const top = row.reduce((most, z) => Math.max(most, z), Number.NEGATIVE_INFINITY);
      const normaliser = top + Math.log(row.reduce((all, z) => all + Math.exp(z - top), 0));
      const uniform = row.reduce((all, z) => all + (normaliser - z), 0) / classes;
      sum += (1 - smoothing) * (normaliser - row[targets[n]!]!) + smoothing * uniform;
    }
    return sum / labels.length;
  };
  return mix ? mix.share * against(labels) + (1 - mix.share) * against(mix.labels) : against(labels);
}

/** Per channel of x (N, C, H, W), in two passes. */
function momentsOf(x: ArrayLike<number>, shape: readonly number[]): { mean: Float64Array; variance: Float64Array } {
  const [batch, channels, height, width] = shape as readonly [number, number, number, number];
  const area = height * width;
  const each = (c: number, visit: (value: number) => void) => {
    for (let n = 0; n < batch; n++) {
      const from = (n * channels + c) * area;
      for (let i = from; i < from + area; i++) visit(x[i]!);
    }
  };
  const [mean, variance] = [new Float64Array(channels), new Float64Array(channels)];
  for (let c = 0; c < channels; c++) {
    let sum = 0;
    each(c, (value) => {
      sum += value;
    });
    mean[c] = sum / (batch * area);
    let squares = 0;
    each(c, (value) => {
      squares += (value - mean[c]!) ** 2;
    });
    variance[c] = squares / Math.max(1, batch * area - 1);
  }
  return { mean, variance };
}
