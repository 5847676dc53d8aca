/** Stochastic gradient descent with momentum, as torch.optim.SGD; the update rule is in `src/kernels/optimizer.ts`. */

import { fill } from '../kernels/copy.ts';
import { BLOCK, sgdUpdate } from '../kernels/optimizer.ts';
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

export interface SGDOptions {
  readonly learningRate: number;
  readonly momentum?: number;
  readonly dampening?: number;
  /** Coefficient λ of λ/2·‖w‖² (added to the gradient as λ·w). */
  readonly weightDecay?: number;
  /** Nesterov's form; needs momentum > 0 and no dampening. */
  readonly nesterov?: boolean;
}

/** What one arena needs for its launch. */
interface Slot {
  readonly arena: Arena;
  readonly velocity: Tensor;
  settings: Tensor;
  /** Which members were trainable when `settings` was written. */
  trainable: string;
}

export class SGD implements Optimizer {
  learningRate: number;
  private readonly options: Required<Omit<SGDOptions, 'learningRate'>>;
  private readonly perParameter: ReadonlyMap<Tensor, { scale: number; weightDecay: number }>;
  private readonly slots: Slot[];
  private stepCount = 0;

  /**
   * `parameters` is a list of tensors, or of groups. They move into one arena (if they are in none yet), so that a step is one
   * launch. A parameter with `requiresGrad = false` is left alone, at any time. One that backward did not reach has a gradient of
   * zero: weight decay and momentum still move it (PyTorch skips it; freeze what must not move).
   */
  constructor(parameters: readonly Tensor[] | readonly ParameterGroup[], options: SGDOptions) {
    const { learningRate, momentum = 0, dampening = 0, weightDecay = 0, nesterov = false } = options;
    for (const [name, value] of Object.entries({ learningRate, momentum, dampening, weightDecay })) {
      if (!(value >= 0)) throw new RangeError(`SGD: ${name} is ${value}; it must be a number ≥ 0`);
    }
    if (nesterov && (momentum <= 0 || dampening !== 0))
      throw new RangeError('SGD: nesterov needs momentum > 0 and no dampening');
    this.learningRate = learningRate;
    this.options = { momentum, dampening, weightDecay, nesterov };
    this.perParameter = settingsOf(asGroups(parameters), weightDecay);
    if (this.perParameter.size === 0) throw new RangeError('SGD: no parameters were given');
    this.slots = Arena.of([...this.perParameter.keys()]).map((arena) => {
      arena.gradients();
      return { arena, velocity: arena.like(), settings: this.writeSettings(arena), trainable: trainableMask(arena) };
    });
  }

  step(): void {
    const { momentum, dampening, nesterov } = this.options;
    for (const slot of this.slots) {
      this.refreshSettings(slot);
      const { arena, velocity, settings } = slot;
      const params = {
        count: arena.length,
        learningRate: this.learningRate,
        momentum,
        dampening,
        isFirstStep: this.stepCount === 0 ? 1 : 0,
      };
      launch(sgdUpdate, { nesterov }, params, {
        weights: arena.values,
        gradients: arena.gradients(),
        velocity,
        settings,
      });
    }
    this.stepCount++;
  }

  /** Of the whole arena, members given to another optimiser included. */
  zeroGrad(): void {
    for (const { arena } of this.slots) launch(fill, {}, { count: arena.length, value: 0 }, { out: arena.gradients() });
  }

  async stateDict(): Promise<OptimizerState> {
    const arrays = await Promise.all(
      this.slots.map(async ({ velocity }, i) => [`velocity.${i}`, await velocity.data()] as const),
    );
    return { step: this.stepCount, arrays: new Map(arrays) };
  }

  loadStateDict(state: OptimizerState): void {
    for (const [i, { velocity }] of this.slots.entries()) {
      const values = state.arrays.get(`velocity.${i}`);
      if (values?.length !== velocity.size) {
        throw new Error(
          `SGD: the state holds ${values?.length ?? 'no'} velocities for arena ${i}, the parameters need ${velocity.size}`,
        );
      }
      velocity.device.upload(velocity.storage.buffer, values, velocity.storage.offset);
    }
    this.stepCount = state.step;
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

const trainableMask = (arena: Arena): string =>
  arena.members.map((member) => (member.requiresGrad ? '1' : '0')).join('');

function asGroups(parameters: readonly Tensor[] | readonly ParameterGroup[]): readonly ParameterGroup[] {
  const isGroup = (entry: Tensor | ParameterGroup): entry is ParameterGroup => 'parameters' in entry;
  const groups = (parameters as readonly (Tensor | ParameterGroup)[]).filter(isGroup);
  if (groups.length === 0) return [{ parameters: parameters as readonly Tensor[] }];
  if (groups.length < parameters.length) throw new TypeError('SGD: a list of parameters and groups; give groups alone');
  return groups;
}

function settingsOf(
  groups: readonly ParameterGroup[],
  defaultDecay: number,
): Map<Tensor, { scale: number; weightDecay: number }> {
  const settings = new Map<Tensor, { scale: number; weightDecay: number }>();
  for (const { parameters, learningRateScale = 1, weightDecay = defaultDecay } of groups) {
    for (const parameter of parameters) {
      if (settings.has(parameter)) throw new Error('SGD: a parameter is given twice');
      if (parameter.node)
        throw new TypeError(`SGD: a parameter was computed by ${parameter.node.operation}; only leaves can be trained`);
      settings.set(parameter, { scale: learningRateScale, weightDecay });
    }
  }
  return settings;
}
