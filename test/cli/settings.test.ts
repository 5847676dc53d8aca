import { describe, expect, it } from 'vitest';
import {
  openingOf,
  resolvePreprocessing,
  scheduleOf,
  type TrainingSettings,
  transformOf,
} from '../../src/cli/settings.ts';

const settings = (schedule: Partial<TrainingSettings['schedule']>, epochs = 4) =>
  ({
    optimizer: { learningRate: 0.1 },
    epochs,
    schedule: { name: 'constant', warmupEpochs: 0, final: 0, decayEvery: 2, decayFactor: 0.5, ...schedule },
  }) as TrainingSettings;

const rates = (schedule: Partial<TrainingSettings['schedule']>, stepsPerEpoch = 2) => {
  const rate = scheduleOf(settings(schedule), stepsPerEpoch);
  return Array.from({ length: 4 * stepsPerEpoch }, (_, step) => rate(step));
};

describe('scheduleOf', () => {
  it('counts in epochs', () => {
    expect(rates({ name: 'constant' })).toEqual(new Array(8).fill(0.1));
    expect(rates({ name: 'step' })).toEqual([0.1, 0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.05]);
  });

  it('ends the cosine at the last step, warm-up included', () => {
    const rate = scheduleOf(settings({ name: 'cosine', warmupEpochs: 1, final: 0.01 }), 10);
    expect(rate(0)).toBeLessThan(0.01);
    expect(rate(10)).toBeCloseTo(0.1, 12);
    expect(rate(40)).toBeCloseTo(0.01, 12);
    expect(rate(39)).toBeGreaterThan(0.01);
  });

  it('peaks at the learning rate in a one-cycle', () => {
    const all = rates({ name: 'one-cycle' }, 10);
    expect(Math.max(...all)).toBeCloseTo(0.1, 12);
    expect(all.at(-1)).toBeLessThan(1e-5);
  });
});

describe('preprocessing', () => {
  const plain = { preset: 'modern', augment: 'none' } as const;
  const silent = { imageSize: null, mean: null, std: null };

  it('is what the command line says, else the weights, else the network', () => {
    const cifar = resolvePreprocessing({ network: 'resnet20', ...silent }, undefined);
    expect(cifar).toMatchObject({ resize: null, size: 32, mean: [0.485, 0.456, 0.406] });
    const stored = { resize: null, size: 48, mean: [0, 0, 0], deviation: [1, 1, 1] } as const;
    expect(resolvePreprocessing({ network: 'resnet20', ...silent }, stored)).toEqual(stored);
    expect(resolvePreprocessing({ network: 'resnet20', ...silent, imageSize: 64, std: [2, 2, 2] }, stored)).toEqual({
      ...stored,
      size: 64,
      deviation: [2, 2, 2],
    });
  });

  it('keeps the margin of ImageNet networks: 256 for 224, in proportion', () => {
    const usual = resolvePreprocessing({ network: 'resnet50', ...silent }, undefined);
    expect([openingOf(usual, plain), usual.size]).toEqual([{ imageSize: 256, fit: 'square' }, 224]);
    const half = resolvePreprocessing({ network: 'resnet50', ...silent, imageSize: 112 }, undefined);
    expect([openingOf(half, plain)?.imageSize, half.size]).toEqual([128, 112]);
  });

  it('crops out of a border for networks without a margin', () => {
    const cifar = resolvePreprocessing({ network: 'resnet20', ...silent }, undefined);
    expect(transformOf(cifar, 'crop+flip', plain).description).toMatch(
      /^randomCrop\(32, padding=4, fill=0\) → randomHorizontalFlip/,
    );
    const large = resolvePreprocessing({ network: 'resnet18', ...silent }, undefined);
    expect(transformOf(large, 'crop+flip', plain).description).toMatch(/^randomCrop\(224, padding=0/);
    expect(transformOf(large, 'none', plain).description).toMatch(/^centerCrop\(224\) → toFloat\(\) → normalize/);
  });

  it('keeps images whole for random resized crops, and shrinks them in evaluation', () => {
    const usual = resolvePreprocessing({ network: 'resnet50', ...silent }, undefined);
    const resized = { preset: 'modern', augment: 'resized-crop+flip' } as const;
    expect(openingOf(usual, resized)).toBeNull();
    expect(transformOf(usual, 'resized-crop+flip', resized).description).toMatch(/^randomResizedCrop\(224.*normalize/);
    expect(transformOf(usual, 'none', resized).description).toMatch(/^resize\(256, bilinear\) → centerCrop\(224\)/);
  });

  it("is raw pixels of a stretched square in the authors' preset", () => {
    const usual = resolvePreprocessing({ network: 'resnet50', ...silent }, undefined);
    const authors = { preset: 'authors', augment: 'none' } as const;
    expect(openingOf(usual, authors)).toEqual({ imageSize: 224, fit: 'stretch' });
    expect(transformOf(usual, 'none', authors).description).toBe('centerCrop(224) → toRaw()');
  });
});
