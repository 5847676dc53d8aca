/**
 * What follows the update of FTP, SPD and the running average, in float64, from the papers' formulas. For a tensor with displacement
 * c = W̃ − W⁰ (rows c_r; a vector is one row), W̃ being what the optimiser made:
 *
 *   FTP   dL/dγ = Σ_r ⟨g_r, c⁻_r⟩/(‖c⁻_r‖₁ + 10⁻⁸) with the c⁻ of the step before, k-fold where positive
 *         γ ← clip(γ − μ·Adam(dL/dγ), 10⁻⁸, max_r ‖c_r‖₁), γ = 10⁻⁸ at step 1;  W_r = W⁰_r + min(1, γ/‖c_r‖₁)·c_r
 *         (Tian et al., "Fast Trainable Projection", NeurIPS 2023, algorithm 1; μ = 0.01, β = 0.9, 0.999)
 *   SPD   W = W̃ − λ·r·(W̃ − W⁰) where ⟨g, W⁻ − W⁰⟩ > 0, W⁻ the weights before; r = clip(1 − ‖W⁻ − W⁰‖/‖W̃ − W⁰‖, 0, 1)
 *         (Tian, Huang & Kira, "Rethinking Weight Decay for Robust Fine-Tuning", NeurIPS 2024, algorithm 1)
 *   EMA   w̄ ← d·w̄ + (1 − d)·w
 */
import type { Numbers } from './balls.ts';

const LEAST = 1e-8;
const RATE = 0.01;
const [BETA1, BETA2] = [0.9, 0.999];

/** γ and its Adam's two moments. */
export type RadiusState = readonly [radius: number, mean: number, square: number];

export interface RadiusInput {
  readonly before: RadiusState;
  /** (rows) ⟨g_r, c⁻_r⟩, and ‖c⁻_r‖₁ + 10⁻⁸. */
  readonly dots: Numbers;
  readonly previous: Numbers;
  /** max_r ‖c_r‖₁. */
  readonly largest: number;
  readonly k: number;
  /** The first step is 1. */
  readonly step: number;
}

/** γ and its moments after an FTP step. */
export function nextRadius({ before, dots, previous, largest, k, step }: RadiusInput): RadiusState {
  if (step === 1) return [LEAST, 0, 0];
  let gradient = 0;
  for (let row = 0; row < dots.length; row++) gradient += dots[row]! / previous[row]!;
  if (gradient > 0) gradient *= k;
  const mean = BETA1 * before[1] + (1 - BETA1) * gradient;
  const square = BETA2 * before[2] + (1 - BETA2) * gradient ** 2;
  const change = (RATE * (mean / (1 - BETA1 ** step))) / (Math.sqrt(square / (1 - BETA2 ** step)) + LEAST);
  return [Math.max(Math.min(before[0] - change, largest), LEAST), mean, square];
}

/** (rows) Σ g·(w − w⁰). */
export function rowProducts(gradient: Numbers, weights: Numbers, anchors: Numbers, rows: number): Float64Array {
  const length = weights.length / rows;
  const out = new Float64Array(rows);
  for (let i = 0; i < weights.length; i++) out[Math.floor(i / length)]! += gradient[i]! * (weights[i]! - anchors[i]!);
  return out;
}

/** How much of its displacement a tensor keeps under SPD: `against` = ⟨g, W⁻ − W⁰⟩, norms before and after the update. */
export function keptShare(against: number, before: number, after: number, strength: number): number {
  if (!(against > 0)) return 1;
  const ratio = after > 0 ? Math.min(Math.max(1 - before / after, 0), 1) : 0;
  return 1 - strength * ratio;
}
