/**
 * Penalties on how far weights moved, as terms of the loss:
 *
 *   L2-SP     Li, Grandvalet & Davoine, "Explicit inductive bias for transfer learning", ICML 2018, equation 2:
 *             α/2·Σ (w − w⁰)² over the pre-trained weights + β/2·Σ w² over the new classifier's
 *             (Gouk et al.'s code: without the ½, and BatchNorm's γ counts as a weight)
 *   MARS-SP   Gouk, Hospedales & Pontil, ICLR 2021 (their code): α·Σ_l max_j Σ_i |W_ji − W⁰_ji| over the layers + β·‖W‖_MARS of the
 *             classifier; its subgradient is the sign of the largest row alone (rows that tie share it, as in torch.amax)
 *
 * One launch or a few over the arena, whatever the number of layers.
 */
import { record } from '../autograd/tape.ts';
import { rowPenaltyGrad } from '../kernels/penalties.ts';
import { layerNorms, rowDistances } from '../kernels/rows.ts';
import type { Module } from '../nn/module.ts';
import { Arena, membership } from '../tensor/arena.ts';
import { empty, tensor, zeros } from '../tensor/create.ts';
import { launch } from '../tensor/launch.ts';
import { keep } from '../tensor/scope.ts';
import { Tensor } from '../tensor/tensor.ts';
import { type AnchorState, Anchors } from './anchors.ts';
import { type ConstrainableLayer, constrainableLayers } from './layers.ts';
import type { Penalty } from './penalty.ts';

export interface WeightPenaltyOptions {
  /** α, on everything but the classifier. 0: off. */
  readonly extractor: number;
  /** β, on the classifier's weights. 0: off. */
  readonly classifier: number;
  /** W⁰: the pre-trained weights. Default: what the model holds now. */
  readonly anchor?: AnchorState;
  readonly headName?: string;
}

export interface L2SPOptions extends WeightPenaltyOptions {
  /** `original`: α/2, convolutions and dense layers; `authors`: α without the ½, BatchNorm's γ too. Default: original. */
  readonly form?: 'original' | 'authors';
}

export interface MarsSPOptions extends WeightPenaltyOptions {
  /**
   * BatchNorm's γ as a diagonal matrix: the largest |γ − γ⁰| (`max`, the norm; default), their sum (`sum`, the authors' code), or
   * not at all (`none`).
   */
  readonly batchNorm?: 'max' | 'sum' | 'none';
}

/** α·Ω(w) + β·Ω′(w_new) as a term of the loss: `loss.add(l2sp(model, { extractor: 0.01, classifier: 0.01 }).loss())`. */
export function l2sp(model: Module, options: L2SPOptions): WeightPenalty {
  const isAuthors = options.form === 'authors';
  const layers = constrainableLayers(model, options.headName);
  const chosen = layers.filter(({ kind }) => isAuthors || kind !== 'batchNorm2d');
  return new WeightPenalty('l2-sp', chosen, options, { halved: !isAuthors, wholeLayers: true, form: 'difference' });
}

/** See the head of this file. */
export function marsSp(model: Module, options: MarsSPOptions): WeightPenalty {
  const { batchNorm = 'max' } = options;
  const layers = constrainableLayers(model, options.headName);
  const chosen = layers.filter(({ kind }) => batchNorm !== 'none' || kind !== 'batchNorm2d');
  const rule = { halved: false, wholeLayers: false, wholeBatchNorm: batchNorm === 'sum', form: 'sign' } as const;
  return new WeightPenalty('mars-sp', chosen, options, rule);
}

interface PenaltyRule {
  readonly halved: boolean;
  /** Every element counts, not the largest row of a layer alone. */
  readonly wholeLayers: boolean;
  /** BatchNorm's γ are one row. */
  readonly wholeBatchNorm?: boolean;
  readonly form: 'difference' | 'sign';
}

/** All penalised rows of one arena. */
interface Table {
  readonly arena: Arena;
  readonly anchors: Tensor;
  readonly weights: readonly Tensor[];
  /** (rows, 2): first element, length. */
  readonly rows: Tensor;
  /** (layers, 2): first row, rows. */
  readonly layers: Tensor;
  /** (rows) */
  readonly coefficients: Tensor;
  readonly count: number;
}

export class WeightPenalty implements Penalty {
  private readonly name: string;
  private readonly rule: PenaltyRule;
  private readonly anchors = new Anchors();
  private readonly tables: readonly Table[];

  /** See `l2sp` and `marsSp`. */
  constructor(name: string, layers: readonly ConstrainableLayer[], options: WeightPenaltyOptions, rule: PenaltyRule) {
    for (const part of ['extractor', 'classifier'] as const) {
      const value = options[part];
      if (!(value >= 0 && value < Number.POSITIVE_INFINITY))
        throw new RangeError(`${name}: the ${part} coefficient is ${value}; it must be a finite number ≥ 0`);
    }
    this.name = name;
    this.rule = rule;
    for (const arena of Arena.of(layers.map(({ weight }) => weight))) this.anchors.of(arena);
    for (const layer of layers) this.anchors.tieLayer({ ...layer, runningVariance: null }, options.anchor, 'zero');
    const used = layers.filter(({ isHead }) => (isHead ? options.classifier : options.extractor) > 0);
    this.tables = Arena.of(used.map(({ weight }) => weight)).map((arena) =>
      this.tableOf(
        arena,
        used.filter(({ weight }) => membership(weight)!.arena === arena),
        options,
      ),
    );
  }

  private tableOf(arena: Arena, layers: readonly ConstrainableLayer[], options: WeightPenaltyOptions): Table {
    const { device } = arena;
    const rows: number[] = [];
    const spans: number[] = [];
    const coefficients: number[] = [];
    for (const { weight, kind, isHead } of layers) {
      const count = kind === 'batchNorm2d' && this.rule.wholeBatchNorm ? 1 : weight.shape[0]!;
      const length = weight.size / count;
      const coefficient = (isHead ? options.classifier : options.extractor) / (this.rule.halved ? 2 : 1);
      spans.push(rows.length / 2, count);
      for (let row = 0; row < count; row++) rows.push(arena.offsetOf(weight) + row * length, length);
      coefficients.push(...new Array<number>(count).fill(coefficient));
    }
    return {
      arena,
      anchors: this.anchors.of(arena),
      weights: layers.map(({ weight }) => weight),
      rows: keep(tensor(Int32Array.from(rows), { device })),
      layers: keep(tensor(Int32Array.from(spans), { device })),
      coefficients: keep(tensor(coefficients, { device })),
      count: rows.length / 2,
    };
  }

  /** A scalar; zero, without a gradient, where both coefficients are 0. */
  loss(): Tensor {
    const [first, ...others] = this.tables.map((table) => this.lossOf(table));
    if (!first) return zeros([]);
    return others.reduce((sum, value) => sum.add(value), first);
  }

  private lossOf(table: Table): Tensor {
    const { arena, anchors, rows, count, weights } = table;
    const { device } = arena;
    const l1 = empty([count], 'f32', device);
    const squared = empty([count], 'f32', device);
    const params = { count: arena.length, rowCount: count };
    launch(rowDistances, {}, params, { weights: arena.values, anchors, rows, l1, squared });
    const shares = this.rule.wholeLayers ? table.coefficients : table.coefficients.mul(largestRows(table, l1));
    const value = shares.mul(this.rule.wholeLayers ? squared : l1).sum();
    return record(this.name, weights, value, [arena.values], (dy) => {
      // d(coefficient·x²) = 2·coefficient·x, d(coefficient·|x|) = coefficient·sign(x)
      const factors = shares.mul(this.rule.wholeLayers ? dy.mul(2) : dy);
      const gradients = zeros([arena.length], { device });
      launch(rowPenaltyGrad, { form: this.rule.form }, params, {
        weights: arena.values,
        anchors,
        rows,
        factors,
        gradients,
      });
      return weights.map(
        (weight) => new Tensor(weight.shape, 'f32', gradients.storage.slice(arena.offsetOf(weight), weight.size)),
      );
    });
  }
}

/** (rows) 1 for the row of a layer with the largest L1 norm, 0 for the others; rows that tie share the 1. */
function largestRows({ arena, layers, count }: Table, l1: Tensor): Tensor {
  const over = (norm: 'mars' | 'frobenius', values: Tensor): Tensor => {
    const norms = empty([count], 'f32', arena.device);
    launch(layerNorms, { norm }, { rowCount: count, layerCount: layers.size / 2 }, { values, layers, norms });
    return norms;
  };
  const isLargest = l1.equal(over('mars', l1));
  // Of zeros and ones, the square of the Frobenius norm is their number.
  return isLargest.div(over('frobenius', isLargest).square());
}
