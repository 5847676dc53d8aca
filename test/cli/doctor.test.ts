import { describe, expect, it } from 'vitest';
import { marsgrad } from './command.ts';

interface Report {
  readonly devices: readonly { kind: string; available: boolean; name?: string; problem?: string; limits?: object }[];
  readonly chosen: { kind: string; reason: string };
  readonly missing: readonly { what: string; command: string }[];
}

describe('doctor', () => {
  it('says in JSON what there is, what is chosen and why, and what is missing', async () => {
    const { code, records } = await marsgrad(['doctor', '--json']);
    expect(code).toBe(0);
    const report = records.at(-1) as unknown as Report;
    expect(report.devices.map(({ kind }) => kind)).toEqual(['webgpu', 'cpu', 'reference']);
    const [webgpu, cpu, reference] = report.devices;
    expect(cpu).toMatchObject({ available: true, name: expect.stringMatching(/WASM SIMD, \d+ thread/) });
    expect(reference!.available).toBe(true);
    if (webgpu!.available) expect(webgpu!.limits).toMatchObject({ maxBufferSize: expect.any(Number) });
    else expect(report.missing).toEqual([{ what: expect.any(String), command: expect.any(String) }]);
    expect(report.devices.find(({ kind }) => kind === report.chosen.kind)!.available).toBe(true);
    expect(report.chosen.reason).not.toBe('');
  });

  it('says the same to people', async () => {
    const { code, stdout } = await marsgrad(['doctor']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^yes {2}cpu: WASM SIMD/m);
    expect(stdout).toMatch(/^--device auto takes (webgpu|cpu): .+ \(.+\)\.$/m);
  });
});

describe('help', () => {
  it.each(['train', 'finetune', 'evaluate', 'demo', 'doctor'])('of %s has examples', async (command) => {
    const { code, stdout } = await marsgrad([command, '--help']);
    expect(code).toBe(0);
    expect(stdout).toMatch(new RegExp(`Examples?:\\s+marsgrad ${command}`));
  });
});
