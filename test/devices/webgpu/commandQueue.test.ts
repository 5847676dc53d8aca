/** What reaches the GPU, and in which order, seen by a GPUDevice that only writes down what it is told. */
import { expect, it } from 'vitest';
import type { Memory } from '../../../src/devices/webgpu/bufferPool.ts';
import { CommandQueue, type DispatchCommand } from '../../../src/devices/webgpu/commandQueue.ts';
import type { PipelineEntry } from '../../../src/devices/webgpu/pipelineCache.ts';

const SLOT = 256;

function openQueue() {
  const log: string[] = [];
  const finish: (() => void)[] = [];
  let failure: Error | undefined;
  let encoded: string[] = [];
  let slots = new Uint8Array();
  const pass = {
    setPipeline: ({ label }: { label: string }) => encoded.push(label),
    setBindGroup: (_index: number, _group: unknown, [offset]: [number]) => encoded.push(`slot ${offset / SLOT}`),
    dispatchWorkgroups: () => undefined,
    end: () => encoded.push('end'),
  };
  const device = {
    limits: { minUniformBufferOffsetAlignment: SLOT },
    createBuffer: () => ({ label: 'uniforms' }),
    createCommandEncoder: () => ({
      beginComputePass: () => pass,
      copyBufferToBuffer: () => encoded.push('copy'),
      finish: () => undefined,
    }),
    queue: {
      writeBuffer: (to: { label: string }, _offset: number, bytes: Uint8Array) => {
        if (to.label === 'uniforms') slots = bytes.slice();
        else log.push(`upload ${to.label}`);
      },
      submit: () => {
        log.push(`submit ${encoded.join(' ')}`);
        encoded = [];
      },
      onSubmittedWorkDone: () => new Promise<void>((resolve) => finish.push(resolve)),
    },
  };
  const queue = new CommandQueue(device as unknown as GPUDevice, (error) => {
    failure = error;
  });
  return { queue, log, finish, failure: () => failure, slots: () => slots };
}

const memory = (label: string): Memory => ({ id: 1, gpu: { label } as GPUBuffer, bytes: SLOT, batch: 0 });
const compiled = (label: string): PipelineEntry => ({
  pipeline: { label } as GPUComputePipeline,
  ready: Promise.resolve(),
});
const dispatch = (pipeline: PipelineEntry, memories: Memory[] = [], param = 0): DispatchCommand => ({
  kind: 'dispatch',
  label: 'kernel',
  pipeline,
  bindGroup: {} as GPUBindGroup,
  memories,
  params: Uint8Array.of(param, 0, 0, 0),
  grid: [1, 1, 1],
  cost: undefined,
});
const upload = (to: Memory) => ({ kind: 'upload', to, byteOffset: 0, bytes: new Uint8Array(4) }) as const;

it('puts launches that follow each other into one pass and one submission, with a slot of parameters each', () => {
  const { queue, log, slots } = openQueue();
  const add = compiled('add');
  queue.push(dispatch(add, [], 7));
  queue.push(dispatch(add, [], 8));
  queue.push(dispatch(compiled('multiply'), [], 9));
  expect(log).toEqual([]);
  queue.drain();
  expect(log).toEqual(['submit add slot 0 slot 1 multiply slot 2 end']);
  expect([slots()[0], slots()[SLOT], slots()[2 * SLOT]]).toEqual([7, 8, 9]);
});

it('submits before an upload only if the batch uses the buffer', () => {
  const { queue, log } = openQueue();
  const [used, other] = [memory('used'), memory('other')];
  queue.push(dispatch(compiled('a'), [used]));
  queue.push(upload(other));
  queue.push(dispatch(compiled('b'), [other]));
  queue.push(upload(used));
  queue.push(dispatch(compiled('c'), [used]));
  queue.drain();
  expect(log).toEqual(['upload other', 'submit a slot 0 b slot 1 end', 'upload used', 'submit c slot 0 end']);
});

it('copies between passes, destroys and signals after what came before', () => {
  const { queue, log } = openQueue();
  const [from, to] = [memory('from'), memory('to')];
  queue.push(dispatch(compiled('a'), [from]));
  queue.push({ kind: 'copy', from, fromOffset: 0, to, byteLength: 4 });
  queue.push({ kind: 'signal', submitted: () => log.push('signal') });
  queue.push(dispatch(compiled('b'), [to]));
  queue.push({ kind: 'destroy', buffer: { destroy: () => log.push('destroy') } as unknown as GPUBuffer });
  queue.push(upload(from));
  queue.drain();
  expect(log).toEqual(['submit a slot 0 end copy b slot 1 end', 'signal', 'destroy', 'upload from']);
});

it('waits for a pipeline without overtaking it', async () => {
  const { queue, log } = openQueue();
  let finishCompiling = () => {};
  const late: PipelineEntry = {
    pipeline: undefined,
    ready: new Promise((resolve) => {
      finishCompiling = resolve;
    }),
  };
  queue.push(dispatch(compiled('first')));
  queue.push(dispatch(late));
  queue.push(upload(memory('x')));
  queue.push(dispatch(compiled('last')));
  queue.drain();
  queue.drain();
  expect(log).toEqual(['submit first slot 0 end']);
  late.pipeline = { label: 'late' } as GPUComputePipeline;
  finishCompiling();
  await late.ready;
  expect(log.slice(1)).toEqual(['upload x', 'submit late slot 0 last slot 1 end']);
});

it('fails with the error of a pipeline that does not compile', async () => {
  const { queue, failure } = openQueue();
  const broken: PipelineEntry = { pipeline: undefined, ready: Promise.reject(new Error('kernel broken')) };
  queue.push(dispatch(broken));
  queue.drain();
  await expect(broken.ready).rejects.toThrow();
  expect(failure()?.message).toBe('kernel broken');
});

it('keeps at most eight batches of 64 launches on the GPU, and goes on as they are done', async () => {
  const { queue, log, finish } = openQueue();
  const add = compiled('add');
  for (let i = 0; i < 1000; i++) queue.push(dispatch(add));
  queue.drain();
  expect(log.length).toBe(8);
  expect(log.every((line) => line.split('slot').length === 65)).toBe(true);
  for (const done of finish.splice(0, 3)) done();
  await new Promise(setImmediate);
  expect(log.length).toBe(11);
  while (finish.length > 0) {
    for (const done of finish.splice(0)) done();
    await new Promise(setImmediate);
  }
  expect(log.map((line) => line.split('slot').length - 1).reduce((a, b) => a + b)).toBe(1000);
});
