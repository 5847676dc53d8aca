/** What a model consists of: shapes, parameters, operations and modes, layer by layer. */
import { noGrad } from '../autograd/tape.ts';
import { zeros } from '../tensor/create.ts';
import { type LaunchObserver, observeLaunches } from '../tensor/launch.ts';
import { scope } from '../tensor/scope.ts';
import { type Shape, shapeText } from '../tensor/shape.ts';
import { BatchNorm2d, type BatchNormMode } from './layers.ts';
import type { Module } from './module.ts';

/** One module. Parameters and operations are its own, without those of the modules inside it: a column adds up to its total. */
export interface SummaryRow {
  /** The dotted name; '' for the model. */
  readonly name: string;
  /** The name of its class. */
  readonly type: string;
  /** Of its last call, with batch 1; null when it was not called. */
  readonly outputShape: Shape | null;
  readonly parameters: number;
  /** How many of the parameters collect a gradient. */
  readonly trainable: number;
  /** Floating-point operations of one image's forward pass, counted from the kernels launched (a multiply-add counts two). */
  readonly flops: number;
  readonly batchNorm: BatchNormMode | null;
}

export interface ModelSummary {
  readonly inputShape: Shape;
  readonly rows: readonly SummaryRow[];
  readonly parameters: number;
  readonly trainable: number;
  readonly flops: number;
  /** The table as text. */
  toString(): string;
}

/** `inputShape`: of one image, without the batch. Runs one forward pass on the model's device and changes nothing. */
export function summary(model: Module, inputShape: Shape): ModelSummary {
  const { shapes, flops } = observedForward(model, inputShape);
  const seen = new Set<unknown>();
  const rows = [...model.namedModules()].map(([name, module]): SummaryRow => {
    const inside = new Set([...module.namedChildren().values()].flatMap((child) => child.parameters()));
    const own = module.parameters().filter((parameter) => !inside.has(parameter) && !seen.has(parameter));
    for (const parameter of own) seen.add(parameter);
    return {
      name,
      type: module.constructor.name,
      outputShape: shapes.get(module) ?? null,
      parameters: total(own, ({ size }) => size),
      trainable: total(own, ({ size, requiresGrad }) => (requiresGrad ? size : 0)),
      flops: flops.get(module) ?? 0,
      batchNorm: module instanceof BatchNorm2d ? module.mode : null,
    };
  });
  const totals = {
    parameters: total(rows, (row) => row.parameters),
    trainable: total(rows, (row) => row.trainable),
    flops: total(rows, (row) => row.flops),
  };
  return { inputShape, rows, ...totals, toString: () => table(inputShape, rows, totals) };
}

function total<T>(items: readonly T[], count: (item: T) => number): number {
  return items.reduce((sum, item) => sum + count(item), 0);
}

/** Output shapes and operations by module; an operation counts for the innermost module that was running. */
function observedForward(model: Module, inputShape: Shape) {
  const shapes = new Map<Module, Shape>();
  const flops = new Map<Module, number>();
  const running: Module[] = [];
  const count: LaunchObserver = ({ kernel, params, constants }) => {
    const module = running.at(-1);
    if (module) flops.set(module, (flops.get(module) ?? 0) + kernel.flops(params, constants));
  };
  const modules = model.modules();
  const training = modules.map((module) => module.training);
  const undo = [observeLaunches(count), ...modules.map((module) => watchForward(module, running, shapes))];
  // Evaluation mode: running statistics and dropout's counters stay as they are.
  model.eval();
  try {
    scope(() => noGrad(() => void model.forward(zeros([1, ...inputShape], { device: model.device }))));
  } finally {
    for (const [i, module] of modules.entries()) module.train(training[i]);
    for (const end of undo) end();
  }
  return { shapes, flops };
}

/** Puts an own `forward` in front of the module's; the returned function takes it away. */
function watchForward(module: Module, running: Module[], shapes: Map<Module, Shape>): () => void {
  const before = Object.getOwnPropertyDescriptor(module, 'forward');
  const original = module.forward;
  const value: Module['forward'] = (x) => {
    running.push(module);
    try {
      const y = original.call(module, x);
      shapes.set(module, y.shape);
      return y;
    } finally {
      running.pop();
    }
  };
  Object.defineProperty(module, 'forward', { value, configurable: true });
  return () => {
    Reflect.deleteProperty(module, 'forward');
    if (before) Object.defineProperty(module, 'forward', before);
  };
}

const HEADINGS = ['layer', 'type', 'output', 'parameters', 'trainable', 'kFLOP', 'batch norm'];
const IS_NUMBER = [false, false, false, true, false, true, false];

const kiloflops = (flops: number): string => (flops / 1e3).toFixed(1);

function trainability(parameters: number, trainable: number): string {
  if (parameters === 0) return '';
  if (trainable === 0) return 'no';
  return trainable === parameters ? 'yes' : `${trainable}`;
}

function table(
  inputShape: Shape,
  rows: readonly SummaryRow[],
  totals: Pick<ModelSummary, 'parameters' | 'trainable' | 'flops'>,
): string {
  const cells = rows.map((row) => [
    row.name === '' ? '(model)' : row.name,
    row.type,
    row.outputShape ? shapeText(row.outputShape) : 'not called',
    row.parameters > 0 ? String(row.parameters) : '',
    trainability(row.parameters, row.trainable),
    row.flops > 0 ? kiloflops(row.flops) : '',
    row.batchNorm ?? '',
  ]);
  const { parameters, trainable, flops } = totals;
  const input = shapeText([1, ...inputShape]);
  const last = [
    'total',
    '',
    `input ${input}`,
    String(parameters),
    trainability(parameters, trainable),
    kiloflops(flops),
  ];
  const lines = [HEADINGS, ...cells, [...last, '']];
  const widths = HEADINGS.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)));
  const text = lines.map((line) =>
    line
      .map((cell, column) => (IS_NUMBER[column] ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!)))
      .join('  ')
      .trimEnd(),
  );
  const rule = '-'.repeat(total(widths, (width) => width + 2) - 2);
  return [text[0], rule, ...text.slice(1, -1), rule, text.at(-1)].join('\n');
}
