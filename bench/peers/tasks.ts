/** What is compared: the tasks, and the files through which every peer gets the same numbers. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Random } from '../../src/tensor/random.ts';

export type Pass = 'forward' | 'inputGradient' | 'weightGradient';
export const PASSES: readonly Pass[] = ['forward', 'inputGradient', 'weightGradient'];

interface TaskFiles {
  /** Paths by the name of the array. */
  readonly inputs: Readonly<Record<string, string>>;
  readonly output: string;
}

export interface MatmulShape {
  readonly kind: 'matmul';
  readonly name: string;
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

export interface Conv2dShape {
  readonly kind: 'conv2d';
  readonly name: string;
  readonly pass: Pass;
  readonly shapes: { readonly x: readonly number[]; readonly w: readonly number[]; readonly y: readonly number[] };
  readonly stride: number;
  readonly padding: number;
}

/** ResNet-20, SGD with momentum. The result is the loss and, after one step, all parameters. */
export interface TrainingShape {
  readonly kind: 'training';
  readonly name: string;
  readonly batch: number;
  readonly side: number;
  readonly classes: number;
  readonly learningRate: number;
  readonly momentum: number;
  readonly parameters: readonly { readonly name: string; readonly shape: readonly number[] }[];
}

export type TaskShape = MatmulShape | Conv2dShape | TrainingShape;
export type Task = TaskShape & TaskFiles;

export const matmulShape = (n: number): MatmulShape => ({ kind: 'matmul', name: `matmul ${n}³`, m: n, n, k: n });

const PASS_NAMES = { forward: 'forward', inputGradient: 'input gradient', weightGradient: 'weight gradient' } as const;

/** A 3×3 convolution with padding 1, in all its passes. */
export function conv2dShapes(batch: number, inChannels: number, side: number, outChannels: number): Conv2dShape[] {
  const shapes = {
    x: [batch, inChannels, side, side],
    w: [outChannels, inChannels, 3, 3],
    y: [batch, outChannels, side, side],
  };
  const base = { kind: 'conv2d', shapes, stride: 1, padding: 1 } as const;
  const label = `conv 3×3 ${batch}×${inChannels}×${side}×${side}→${outChannels}`;
  return PASSES.map((pass) => ({ ...base, pass, name: `${label} ${PASS_NAMES[pass]}` }));
}

/** Multiply-adds count two. Of a training step: what its kernels count, given by the caller. */
export function flopsOf(shape: MatmulShape | Conv2dShape): number {
  if (shape.kind === 'matmul') return 2 * shape.m * shape.n * shape.k;
  const { y, w } = shape.shapes;
  return 2 * product(y) * product(w.slice(1));
}

export const product = (extents: readonly number[]): number => extents.reduce((all, extent) => all * extent, 1);

/** Values in ±1, the same for the same label. */
export function randomValues(label: string, length: number): Float32Array {
  const random = new Random(11).fork(label);
  return Float32Array.from({ length }, () => 2 * random.uniform() - 1);
}

/** A temporary folder of arrays. */
export class ArrayFolder {
  readonly #folder = mkdtempSync(join(tmpdir(), 'marsgrad-bench-'));

  write(name: string, values: Float32Array): string {
    const path = this.path(name);
    writeFileSync(path, values);
    return path;
  }

  read(name: string): Float32Array {
    const bytes = readFileSync(this.path(name));
    return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4).slice();
  }

  path(name: string): string {
    return join(this.#folder, `${name}.f32`);
  }

  close(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
