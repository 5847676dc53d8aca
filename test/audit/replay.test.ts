/** Recorded steps done again: every method on every device, and wrong kernels that only this can find. */
import { describe, expect, it } from 'vitest';
import { auditRun } from '../../src/audit/audit.ts';
import type { AuditContext, Check, WrapDevice } from '../../src/audit/context.ts';
import { float64Check } from '../../src/audit/replay/float64Check.ts';
import { kernelsCheck } from '../../src/audit/replay/kernelsCheck.ts';
import { recordCheck } from '../../src/audit/replay/recordCheck.ts';
import { replayStep } from '../../src/audit/replay/replayStep.ts';
import { stateCheck } from '../../src/audit/replay/stateCheck.ts';
import type { Outcome } from '../../src/audit/verdict.ts';
import type { DeviceKind, Launch } from '../../src/devices/device.ts';
import { Adam, AdamW, chain, ema, project, SGD } from '../../src/optim/index.ts';
import { bss, frobeniusBall, ftp, l2sp, marsBall, marsSp, spd } from '../../src/regularizers/index.ts';
import { contextOf, type MakeMethod, recordedRun } from './tinyAudit.ts';

const CHECKS: readonly Check[] = [recordCheck, kernelsCheck, stateCheck, float64Check];

async function statusesOf(context: AuditContext): Promise<Record<string, Outcome>> {
  const { checks } = await auditRun(context, CHECKS, { version: '0.0.0' });
  return Object.fromEntries(checks.map((check) => [check.id, check]));
}

const failuresOf = ({ findings }: Outcome) => findings.filter(({ status }) => status === 'fail');

async function expectGood(context: AuditContext): Promise<Record<string, Outcome>> {
  const results = await statusesOf(context);
  for (const [id, result] of Object.entries(results))
    expect([id, result.status, failuresOf(result)]).toEqual([id, 'pass', []]);
  return results;
}

const sgd: MakeMethod = (model) => ({ optimizer: new SGD(model.parameters(), { learningRate: 0.1, momentum: 0.9 }) });

const mars: MakeMethod = (model) => {
  const ball = marsBall(model, { extractor: 0.05, classifier: 0.1 });
  return { ...sgd(model), optimizer: chain(sgd(model).optimizer, project(ball)), constraint: ball };
};

const METHODS: Readonly<Record<string, MakeMethod>> = {
  'sgd with momentum': sgd,
  'mars-pgm, weight decay, nesterov': (model) => {
    const ball = marsBall(model, { extractor: 0.05, classifier: 0.1, projection: 'row-l1-exact' });
    const options = { learningRate: 0.1, momentum: 0.9, nesterov: true, weightDecay: 1e-3 };
    return { optimizer: chain(new SGD(model.parameters(), options), project(ball)), constraint: ball };
  },
  'l2-pgm with accumulated and clipped gradients': (model) => {
    const ball = frobeniusBall(model, { extractor: 0.05, classifier: 0.1 });
    return {
      optimizer: chain(sgd(model).optimizer, project(ball)),
      constraint: ball,
      accumulate: 2,
      clipGradNorm: 0.5,
    };
  },
  'l2-sp and mars-sp': (model) => ({
    ...sgd(model),
    penalties: [l2sp(model, { extractor: 0.1, classifier: 0.1 }), marsSp(model, { extractor: 0.1, classifier: 0.1 })],
  }),
  bss: (model) => ({ ...sgd(model), penalties: [bss(model, { strength: 0.01 })] }),
  ftp: (model) => ({ optimizer: chain(sgd(model).optimizer, ftp(model)) }),
  spd: (model) => ({ optimizer: chain(sgd(model).optimizer, spd(model, { strength: 1 })) }),
  'adam with amsgrad': (model) => ({ optimizer: new Adam(model.parameters(), { learningRate: 0.01, amsgrad: true }) }),
  'adamw with an average': (model) => ({
    optimizer: chain(new AdamW(model.parameters(), { learningRate: 0.01 }), ema(model.parameters(), 0.9)),
  }),
};

describe('a recorded step, done again,', () => {
  it.each(Object.entries(METHODS))('is the same on the CPU device: %s', async (_, method) => {
    const { context } = await recordedRun('cpu', method, { record: 'first,last,2' });
    const results = await expectGood({ ...context, chosenSteps: context.steps });
    expect(results.state!.summary).toMatch(
      /^On cpu, steps 1, 2 and \d: \d+ numbers .* are those of the record to the bit\.$/,
    );
  });

  it.each<DeviceKind>(['reference', 'webgpu'])('is the same on %s', async (kind) => {
    const { context } = await recordedRun(kind, mars);
    const results = await expectGood(context);
    expect(results.state!.summary).toContain('to the bit');
    if (kind === 'reference') expect(results.kernels!.summary).toContain('0.0 % of its tolerance');
  });

  it.each<DeviceKind>(['webgpu', 'reference'])('recorded on the CPU device, is nearly the same on %s', async (kind) => {
    const { context } = await recordedRun('cpu', mars);
    const results = await expectGood({ ...context, replayOn: kind });
    expect(results.state!.summary).toContain('within the limits of float32');
    expect(results.state!.findings).toMatchObject([{ status: 'note' }, { status: 'note' }]);
  });
});

/** A device on which the kernel called `name` does something else. */
const wrong =
  (name: string, change: (launch: Launch) => Launch): WrapDevice =>
  (device) =>
    new Proxy(device, {
      get(target, key) {
        if (key === 'launch')
          return (launch: Launch) => target.launch(launch.kernel.name === name ? change(launch) : launch);
        const value = Reflect.get(target, key);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });

const withParams = (changes: object) => (launch: Launch) => ({ ...launch, params: { ...launch.params, ...changes } });

const FAULTS: readonly [what: string, wrap: WrapDevice, kernel: string, place: RegExp][] = [
  [
    'momentum that is left out',
    wrong('sgdUpdate', withParams({ momentum: 0 })),
    'sgdUpdate',
    /^step 6, launch \d+ \(sgdUpdate\), weights = parameters, update$/,
  ],
  [
    'a projection that misses the last row',
    wrong('projectRows', (launch) => withParams({ rowCount: (launch.params.rowCount as number) - 1 })(launch)),
    'projectRows',
    /^step 6, launch \d+ \(projectRows\), weights = parameters, update$/,
  ],
  [
    'a convolution that is shifted',
    wrong('conv2d', withParams({ paddingWidth: 1 })),
    'conv2d',
    /^step 6, launch \d+ \(conv2d\), y, forward of conv conv2d$/,
  ],
];

describe('a wrong kernel', () => {
  it.each(FAULTS)('that made the run is named: %s', async (_, wrap, kernel, place) => {
    const { context } = await recordedRun('cpu', mars, { record: 'last', wrap });
    // Here its device is the good one: the record is what does not come again.
    const { state, float64 } = await statusesOf(context);
    expect([state!.status, float64!.status]).toEqual(['fail', 'fail']);
    // And where the device is still the wrong one, the launch itself is wrong.
    const open: AuditContext['open'] = (kind, inner = (device) => device) =>
      context.open(kind, (device) => inner(kind === 'cpu' ? wrap(device) : device));
    const there = await statusesOf({ ...context, open });
    expect(there.state!.status).toBe('pass');
    expect(there.kernels!.status).toBe('fail');
    expect(there.float64!.status).toBe('fail');
    const [first] = failuresOf(there.kernels!);
    expect(first!.place).toMatch(place);
    expect(failuresOf(there.kernels!).every((finding) => finding.place.includes(`(${kernel})`))).toBe(true);
  });
});

it('of a step that float64 would take too long for, the cheap launches are looked at, and the state', async () => {
  const { context } = await recordedRun('cpu', mars, { record: 'last' });
  const [step] = context.steps;
  const whole = await replayStep(context, step!, 'cpu');
  const part = await replayStep(context, step!, 'cpu', 5000);
  expect([whole.leftOut, part.inFloat64]).toEqual([0, null]);
  const [all, looked] = [whole, part].map(({ outputs }) => outputs.map(({ launch }) => launch.kernel)) as [
    string[],
    string[],
  ];
  expect(part.leftOut).toBeGreaterThan(0);
  expect(all).toContain('conv2d');
  expect(looked).not.toContain('conv2d');
  expect(looked).toContain('projectRows');
  expect(part.onDevice).toEqual(whole.onDevice);
});

describe('a record', () => {
  it('that was cut, damaged or left out is said', async () => {
    const { contents } = await recordedRun('cpu', sgd);
    const changed = async (name: string, bytes: Uint8Array | string | null) => {
      const copy = new Map(contents);
      if (bytes === null) copy.delete(name);
      else copy.set(name, typeof bytes === 'string' ? new TextEncoder().encode(bytes) : bytes);
      const { record } = await statusesOf(await contextOf(copy, sgd));
      return [record!.status, record!.findings[0]?.place, record!.findings[0]?.message];
    };
    const [json, state] = ['record/step-000006/step.json', 'record/step-000006/state.safetensors'];
    const place = 'step 6, record/step-000006';
    expect(await changed(json, null)).toEqual(['fail', place, `${json} is missing.`]);
    expect(await changed(json, '{"format":1')).toEqual(['fail', place, `${json} is not JSON.`]);
    expect(await changed(json, '{"format":7}')).toEqual([
      'fail',
      place,
      `${json} has the format 7; this version reads 1.`,
    ]);
    expect((await changed(json, '{"format":1,"step":6}'))[2]).toContain('a part of it is missing');
    expect((await changed(state, contents.get(state)!.subarray(0, 999)))[2]).toContain('truncated');
    expect(
      (await changed(json, new TextDecoder().decode(contents.get(json)!).replace('"step":6', '"step":5')))[2],
    ).toBe(`${json} is about step 5.`);
    const complete = `${new TextDecoder().decode(contents.get('log.ndjson')!)}{"type":"summary","step":9,"steps":9}\n`;
    expect(await changed('log.ndjson', complete)).toEqual([
      ...['fail', 'step 9', 'was to be recorded, and the log has no record of it.'],
    ]);
  });

  it('of other images, and one whose launches are not those of its settings, are said', async () => {
    const { contents } = await recordedRun('cpu', sgd, { record: 'first' });
    const json = 'record/step-000001/step.json';
    interface Editable {
      batches: { pixels: string }[];
      launches: { kernel: string }[];
    }
    const change = async (edit: (file: Editable) => void) => {
      const file = JSON.parse(new TextDecoder().decode(contents.get(json)!));
      edit(file);
      const context = await contextOf(
        new Map([...contents, [json, new TextEncoder().encode(JSON.stringify(file))]]),
        sgd,
      );
      return failuresOf((await statusesOf(context)).kernels!)[0]!;
    };
    const pixels = await change((file) => {
      file.batches[0]!.pixels = 'f'.repeat(64);
    });
    expect(pixels).toMatchObject({
      place: 'step 1',
      message: expect.stringContaining('its pixels have another sha256'),
    });
    const launches = await change((file) => {
      file.launches[3]!.kernel = 'softmaxCrossEntropy';
    });
    expect(launches.message).toContain('launch 3 of the record (softmaxCrossEntropy');
  });

  it('is not asked of a run that has none', async () => {
    const { context } = await recordedRun('cpu', sgd, { record: 'none' });
    const results = await statusesOf(context);
    expect(Object.values(results).map(({ status }) => status)).toEqual(['skipped', 'skipped', 'skipped', 'skipped']);
  });
});
