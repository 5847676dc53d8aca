/** The device on which tensors are made from now on. */
import { type ChosenDevice, chooseDevice, type DeviceRequest } from '../devices/choose.ts';
import { setDefaultDevice } from './create.ts';

/**
 * Opens a device and makes it the default. `auto` takes a real GPU where there is one, else the CPU device; `reason` says why.
 * Rejects when the device that was asked for by name is not there. Close the device when the work is done: Node exits by itself then.
 */
export async function initDevice(request: DeviceRequest = {}): Promise<ChosenDevice> {
  const chosen = await chooseDevice(request);
  setDefaultDevice(chosen.device);
  return chosen;
}
