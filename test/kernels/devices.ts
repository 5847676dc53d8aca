/** The devices on which every kernel is tried. One that cannot be loaded or opened fails its own tests; none is skipped. */
import type { Device, DeviceKind } from '../../src/devices/device.ts';

export const devices: readonly { readonly kind: DeviceKind; open(): Promise<Device> }[] = [
  {
    kind: 'reference',
    async open() {
      const { ReferenceDevice } = await import('../../src/devices/reference/device.ts');
      return new ReferenceDevice();
    },
  },
  {
    kind: 'webgpu',
    async open() {
      const { requestNodeWebGpuDevice } = await import('../../src/devices/webgpu/node.ts');
      return requestNodeWebGpuDevice();
    },
  },
  {
    kind: 'cpu',
    async open() {
      const { createCpuDevice } = await import('../../src/devices/cpu/node.ts');
      return createCpuDevice();
    },
  },
];
