/** What every optimiser here is made of: parameters in arenas, one launch each a step, settings by blocks of the arena. */
import { fill } from '../kernels/copy.ts';
import { BLOCK } from '../kernels/optimizer.ts';
import { Arena } from '../tensor/arena.ts';
import { tensor } from '../tensor/create.ts';
import { launch } from '../tensor/launch.ts';
import { keep } from '../tensor/scope.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { Optimizer, OptimizerState } from './optimizer.ts';

export interface ParameterGroup {
  readonly parameters: readonly Tensor[];
  /** Multiplies the learning rate for this group. Default 1. */
  readonly learningRateScale?: number;
  /** Default: the optimiser's. */
  readonly weightDecay?: number;
}

/** What one arena needs for its launch. */
interface Slot {
  readonly arena: Arena;
  /** Moments, by name, in the arena's layout. */
  readonly moments: Readonly<Record<string, Tensor>>;
  settings: Tensor;
  /** Which members were trainable when `settings` was written. */
  trainable: string;
}

/** What an update reads and writes; `settings` holds (learning-rate scale, weight decay) per block. */
export interface SlotBuffers {
  readonly weights: Tensor;
  readonly gradients: Tensor;
  readonly settings: Tensor;
}

export abstract class ArenaOptimizer implements Optimizer {
  learningRate: number;
  /** Steps done. */
  protected stepCount = 0;
  private readonly name: string;
  private readonly perParameter: ReadonlyMap<Tensor, { scale: number; weightDecay: number }>;
  private readonly slots: Slot[];

  /**
   * `parameters` is a list of tensors, or of groups. They move into one arena (if they are in none yet), so that a step is one
   * launch. A parameter with `requiresGrad = false` is left alone, at any time. One that backward did not reach has a gradient of
   * zero: weight decay and momentum still move it (PyTorch skips it; freeze what must not move).
   */
  constructor(
    name: string,
    parameters: readonly Tensor[] | readonly ParameterGroup[],
    { learningRate, weightDecay }: { readonly learningRate: number; readonly weightDecay: number },
    moments: readonly string[],
  ) {
    for (const [what, value] of Object.entries({ learningRate, weightDecay })) needNumber(name, what, value);
    this.name = name;
    this.learningRate = learningRate;
    this.perParameter = settingsOf(name, asGroups(name, parameters), weightDecay);
    if (this.perParameter.size === 0) throw new RangeError(`${name}: no parameters were given`);
    this.slots = Arena.of([...this.perParameter.keys()]).map((arena) => {
      arena.gradients();
      const own = Object.fromEntries(moments.map((moment) => [moment, arena.like()]));
      return { arena, moments: own, settings: this.writeSettings(arena), trainable: trainableMask(arena) };
    });
  }

  /** One launch: the update of all weights of one arena. `this.stepCount` is that of the step in work, from 1. */
  protected abstract update(count: number, buffers: SlotBuffers, moments: Readonly<Record<string, Tensor>>): void;

  step(): void {
    this.stepCount++;
    for (const slot of this.slots) {
      this.refreshSettings(slot);
      const { arena, settings, moments } = slot;
      this.update(arena.length, { weights: arena.values, gradients: arena.gradients(), settings }, moments);
    }
  }

  /** Of the whole arena, members given to another optimiser included. */
  zeroGrad(): void {
    for (const { arena } of this.slots) launch(fill, {}, { count: arena.length, value: 0 }, { out: arena.gradients() });
  }

  async stateDict(): Promise<OptimizerState> {
    const step = this.stepCount;
    const arrays = await Promise.all(
      this.namedMoments().map(async ([name, moment]) => [name, await moment.data()] as const),
    );
    return { step, arrays: new Map(arrays) };
  }

  loadStateDict(state: OptimizerState): void {
    for (const [name, moment] of this.namedMoments()) {
      const values = state.arrays.get(name);
      if (values?.length !== moment.size) {
        throw new Error(
          `${this.name}: the state holds ${values?.length ?? 'no'} values for ${name}, the parameters need ${moment.size}`,
        );
      }
      moment.device.upload(moment.storage.buffer, values, moment.storage.offset);
    }
    this.stepCount = state.step;
  }

  /** `velocity.0`: of the first arena. */
  private namedMoments(): [string, Tensor][] {
    return this.slots.flatMap(({ moments }, i) =>
      Object.entries(moments).map(([name, moment]): [string, Tensor] => [`${name}.${i}`, moment]),
    );
  }

  /** (learning-rate scale, weight decay) for every block of the arena; scale 0 where there is nothing to train. */
  private writeSettings(arena: Arena): Tensor {
    const blocks = new Float64Array(2 * Math.ceil(arena.length / BLOCK));
    for (const member of arena.members) {
      const own = this.perParameter.get(member);
      if (!own || !member.requiresGrad) continue;
      const first = arena.offsetOf(member) / BLOCK;
      for (let block = first; block < first + Math.ceil(member.size / BLOCK); block++) {
        blocks[2 * block] = own.scale;
        blocks[2 * block + 1] = own.weightDecay;
      }
    }
    return keep(tensor(blocks, { device: arena.device }));
  }

  private refreshSettings(slot: Slot): void {
    const trainable = trainableMask(slot.arena);
    if (trainable === slot.trainable) return;
    slot.settings.dispose();
    slot.settings = this.writeSettings(slot.arena);
    slot.trainable = trainable;
  }
}

/** Throws unless 0 ≤ value (< below). */
export function needNumber(optimizer: string, what: string, value: number, below = Number.POSITIVE_INFINITY): void {
  if (value >= 0 && value < below) return;
  const range = below === Number.POSITIVE_INFINITY ? '≥ 0' : `≥ 0 and < ${below}`;
  throw new RangeError(`${optimizer}: ${what} is ${value}; it must be a number ${range}`);
}

const trainableMask = (arena: Arena): string =>
  arena.members.map((member) => (member.requiresGrad ? '1' : '0')).join('');

function asGroups(name: string, parameters: readonly Tensor[] | readonly ParameterGroup[]): readonly ParameterGroup[] {
  const isGroup = (entry: Tensor | ParameterGroup): entry is ParameterGroup => 'parameters' in entry;
  const groups = (parameters as readonly (Tensor | ParameterGroup)[]).filter(isGroup);
  if (groups.length === 0) return [{ parameters: parameters as readonly Tensor[] }];
  if (groups.length < parameters.length)
    throw new TypeError(`${name}: a list of parameters and groups; give groups alone`);
  return groups;
}

function settingsOf(
  name: string,
  groups: readonly ParameterGroup[],
  defaultDecay: number,
): Map<Tensor, { scale: number; weightDecay: number }> {
  const settings = new Map<Tensor, { scale: number; weightDecay: number }>();
  for (const { parameters, learningRateScale = 1, weightDecay = defaultDecay } of groups) {
    for (const parameter of parameters) {
      if (settings.has(parameter)) throw new Error(`${name}: a parameter is given twice`);
      if (parameter.node)
        throw new TypeError(
          `${name}: a parameter was computed by ${parameter.node.operation}; only leaves can be trained`,
        );
      settings.set(parameter, { scale: learningRateScale, weightDecay });
    }
  }
  return settings;
}
