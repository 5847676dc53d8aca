/** How tensors reach a device: one call per kernel launch, with an observer for those who watch (audit, profiling, NaN search). */
import type { Launch } from '../devices/device.ts';
import type {
  BufferSpecs,
  ConstantSpecs,
  ConstantValues,
  KernelDefinition,
  ParamSpecs,
  ParamValues,
} from '../kernels/contract.ts';
import type { Tensor } from './tensor.ts';

/** Sees every launch after it was enqueued, with the tensors bound to it by buffer name. */
export type LaunchObserver = (launch: Launch, tensors: Readonly<Record<string, Tensor>>) => void;
const observers = new Set<LaunchObserver>();

/** Starts observing; the returned function ends it. */
export function observeLaunches(observer: LaunchObserver): () => void {
  observers.add(observer);
  return () => observers.delete(observer);
}

/** Launches a kernel on the device of its tensors. Throws when they live on different devices, or were freed. */
export function launch<C extends ConstantSpecs, P extends ParamSpecs, B extends BufferSpecs>(
  kernel: KernelDefinition<C, P, B>,
  constants: ConstantValues<C>,
  params: ParamValues<P>,
  tensors: { readonly [K in keyof B]: Tensor },
): void {
  const list = Object.values(tensors) as Tensor[];
  const device = list[0]!.device;
  for (const tensor of list) {
    tensor.assertAlive(kernel.name);
    if (tensor.device !== device) {
      throw new Error(`${kernel.name}: its tensors live on two devices: ${device.name}, and ${tensor.device.name}`);
    }
  }
  const buffers = {} as { [K in keyof B]: Tensor['storage'] };
  for (const name of Object.keys(kernel.buffers) as (keyof B)[]) {
    buffers[name] = tensors[name].storage;
    if (kernel.buffers[name]!.access !== 'read') tensors[name].storage.markWritten();
  }
  const launched: Launch<C, P, B> = { kernel, constants, params, buffers };
  device.launch(launched);
  for (const observer of observers) observer(launched as unknown as Launch, tensors);
}
