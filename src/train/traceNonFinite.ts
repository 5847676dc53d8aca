/**
 * Finds the launch that made the first NaN or infinity. Every float buffer that a launch read or wrote is tested on the device
 * right after it, by its bits (a compiler may assume that floats are finite), and the verdicts are read when all is done.
 */
import type { Launch } from '../devices/device.ts';
import { firstNonFinite } from '../kernels/elementwise.ts';
import type { Module } from '../nn/index.ts';
import { empty } from '../tensor/create.ts';
import { launch, observeLaunches } from '../tensor/launch.ts';
import { keep } from '../tensor/scope.ts';
import type { Tensor } from '../tensor/tensor.ts';

export interface NonFiniteOrigin {
  readonly kernel: string;
  /** Counted from 0 at the first launch of the observed run. */
  readonly launch: number;
  /** The kernel's name for the buffer. */
  readonly buffer: string;
  /** `read`: no observed launch made it, it came in with the data or the weights. */
  readonly access: 'read' | 'write';
  /** Index in the buffer. */
  readonly element: number;
  /** The parameter (or `gradient of …`) that the element belongs to, or else the parameters among the launch's inputs. */
  readonly parameters: readonly string[];
}

interface Probe extends Omit<NonFiniteOrigin, 'element' | 'parameters'> {
  readonly index: Tensor;
  /** Where the tested buffer begins, to name the parameter at an element. */
  readonly place: Place;
  readonly inputs: readonly Place[];
}

interface Place {
  readonly buffer: object;
  readonly offset: number;
  readonly length: number;
}

/** Runs `run` (synchronous, enqueuing only) under observation. Resolves to null where every value was finite. */
export async function traceNonFinite(run: () => void, model?: Module): Promise<NonFiniteOrigin | null> {
  const probes: Probe[] = [];
  let launches = 0;
  let isProbing = false;
  const stop = observeLaunches((launched, tensors) => {
    if (isProbing) return;
    isProbing = true;
    probes.push(...probesOf(launched, tensors, launches++));
    isProbing = false;
  });
  try {
    run();
  } finally {
    stop();
  }
  const verdicts = await Promise.all(probes.map(({ index }) => index.item()));
  for (const { index } of probes) index.dispose();
  const first = verdicts.findIndex((verdict) => verdict >= 0);
  if (first < 0) return null;
  const { kernel, launch: number, buffer, access, place, inputs } = probes[first]!;
  const element = verdicts[first]!;
  const parameters = model ? namesFor(model, place, element, inputs) : [];
  return { kernel, launch: number, buffer, access, element, parameters };
}

function probesOf(launched: Launch, tensors: Readonly<Record<string, Tensor>>, number: number): Probe[] {
  const { kernel, params, constants } = launched;
  const sizes = kernel.sizes(params, constants) as Record<string, number>;
  const inputs = Object.entries(kernel.buffers)
    .filter(([, { access }]) => access === 'read')
    .map(([name]) => placeOf(tensors[name]!));
  const probe = (name: string, access: 'read' | 'write'): Probe => {
    const x = tensors[name]!;
    const index = keep(empty([1], 'i32', x.device));
    launch(firstNonFinite, {}, { count: sizes[name]! }, { x, index });
    return { kernel: kernel.name, launch: number, buffer: name, access, index, place: placeOf(x), inputs };
  };
  const floats = Object.entries(kernel.buffers).filter(([name, { type }]) => type === 'f32' && sizes[name]! > 0);
  const reads = floats.filter(([, { access }]) => access === 'read').map(([name]) => probe(name, 'read'));
  const writes = floats.filter(([, { access }]) => access !== 'read').map(([name]) => probe(name, 'write'));
  return [...reads, ...writes];
}

const placeOf = ({ storage }: Tensor): Place => ({
  buffer: storage.buffer,
  offset: storage.offset,
  length: storage.length,
});

function namesFor(model: Module, place: Place, element: number, inputs: readonly Place[]): string[] {
  const named: { name: string; place: Place }[] = [];
  for (const [name, parameter] of model.namedParameters()) {
    named.push({ name, place: placeOf(parameter) });
    if (parameter.grad) named.push({ name: `gradient of ${name}`, place: placeOf(parameter.grad) });
  }
  const at = place.offset + element;
  const owner = named.find(({ place: p }) => p.buffer === place.buffer && p.offset <= at && at < p.offset + p.length);
  if (owner) return [owner.name];
  const isInput = (p: Place) => inputs.some((input) => input.buffer === p.buffer && input.offset === p.offset);
  return named.filter(({ place: p }) => isInput(p)).map(({ name }) => name);
}

/** One sentence. */
export function describeOrigin(origin: NonFiniteOrigin): string {
  const { kernel, launch: number, buffer, access, element, parameters } = origin;
  const where = parameters.length > 0 ? ` (${parameters.join(', ')})` : '';
  return access === 'read'
    ? `The first value that is not finite came in from outside: element ${element} of '${buffer}'${where}, read by ${kernel} (launch ${number}).`
    : `The first value that is not finite was made by ${kernel} (launch ${number}): element ${element} of '${buffer}'${where}.`;
}
