/** The rows of whole parameters, for methods that treat every tensor alike: weights, biases, γ and β, the classifier excepted. */

import { rowDots } from '../kernels/learnedRadii.ts';
import { projectRows, rowDistances } from '../kernels/rows.ts';
import { headOf } from '../nn/freezing.ts';
import type { Module } from '../nn/module.ts';
import { Arena, membership } from '../tensor/arena.ts';
import { empty, tensor } from '../tensor/create.ts';
import { launch } from '../tensor/launch.ts';
import { keep } from '../tensor/scope.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { type AnchorState, Anchors } from './anchors.ts';

export interface TensorRowsOptions {
  /** W⁰ by the names of a state dict. Default: what the model holds now. */
  readonly anchor?: AnchorState;
  /** Name of the classifier's module, which is left alone. Default: the model's own `headName`. */
  readonly headName?: string;
}

/** One arena's. A weight has a row per output unit or channel; a vector is one row. Enqueues only. */
export class TensorRows {
  readonly arena: Arena;
  readonly anchors: Tensor;
  readonly names: readonly string[];
  /** (tensors, 2): first row, rows. */
  readonly tensors: Tensor;
  readonly rowCount: number;
  private readonly rows: Tensor;

  /** Those of all arenas of the model's parameters. */
  static of(name: string, model: Module, { anchor, headName }: TensorRowsOptions): TensorRows[] {
    const head = new Set(headOf(model, headName).parameters());
    const parameters = [...model.namedParameters()].filter(([, parameter]) => !head.has(parameter));
    const anchors = new Anchors();
    const arenas = Arena.of(model.parameters());
    return arenas
      .map((arena) => new TensorRows(name, arena, anchors, parameters, anchor))
      .filter(({ rowCount }) => rowCount > 0);
  }

  private constructor(
    name: string,
    arena: Arena,
    anchors: Anchors,
    parameters: readonly (readonly [string, Tensor])[],
    state: AnchorState | undefined,
  ) {
    const own = parameters.filter(([, parameter]) => membership(parameter)!.arena === arena && parameter.requiresGrad);
    const rows: number[] = [];
    const tensors: number[] = [];
    for (const [key, parameter] of own) {
      const count = parameter.rank > 1 ? parameter.shape[0]! : 1;
      const length = parameter.size / count;
      tensors.push(rows.length / 2, count);
      for (let row = 0; row < count; row++) rows.push(arena.offsetOf(parameter) + row * length, length);
      if (state) anchors.tieTo(arena, parameter, anchorOf(name, state, key));
    }
    const { device } = arena;
    this.arena = arena;
    this.anchors = anchors.of(arena);
    this.names = own.map(([key]) => key);
    this.rows = keep(tensor(Int32Array.from(rows), { device }));
    this.tensors = keep(tensor(Int32Array.from(tensors), { device }));
    this.rowCount = rows.length / 2;
  }

  get tensorCount(): number {
    return this.names.length;
  }

  private get size() {
    return { count: this.arena.length, rowCount: this.rowCount };
  }

  /** An uninitialised number for every row. */
  perRow(): Tensor {
    return empty([this.rowCount], 'f32', this.arena.device);
  }

  /** Σ|w − w⁰| and Σ(w − w⁰)² of each row of `weights` (in the arena's layout). */
  distances(weights: Tensor): { readonly l1: Tensor; readonly squared: Tensor } {
    const { anchors, rows } = this;
    const measured = { l1: this.perRow(), squared: this.perRow() };
    launch(rowDistances, {}, this.size, { weights, anchors, rows, ...measured });
    return measured;
  }

  /** Σ g·(w − w⁰) of each row of `weights`, with the gradients of now. */
  dots(weights: Tensor): Tensor {
    const { anchors, rows, arena } = this;
    const dots = this.perRow();
    launch(rowDots, {}, this.size, { weights, anchors, gradients: arena.gradients(), rows, dots });
    return dots;
  }

  /** w ← w⁰ + (w − w⁰)·min(1, radius/norm) of each row. */
  project(norms: Tensor, radii: Tensor): void {
    const { anchors, rows, arena } = this;
    launch(projectRows, {}, this.size, { weights: arena.values, anchors, rows, norms, radii });
  }
}

function anchorOf(name: string, state: AnchorState, key: string): Float64Array {
  const values = state.get(key)?.data;
  if (!values) throw new RangeError(`${name}: the anchor holds nothing for ${key}`);
  return Float64Array.from(values as ArrayLike<number>);
}

/** Overwrites a kept tensor by saved values. */
export function restore(name: string, target: Tensor, values: ArrayLike<number> | undefined): void {
  if (values?.length !== target.size)
    throw new Error(`${name}: the state holds ${values?.length ?? 'no'} values where ${target.size} are needed`);
  target.device.upload(target.storage.buffer, values, target.storage.offset);
}
