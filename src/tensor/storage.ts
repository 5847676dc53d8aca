/** Device memory that one or more tensors look at. */
import { ALIGNMENT, type BufferRange, type Device, type DeviceBuffer } from '../devices/device.ts';
import type { ElementType } from '../kernels/contract.ts';

let liveStorages = 0;
let liveBytes = 0;

/** What is allocated by tensors right now, over all devices; views share, and are counted once. */
export const storageCounts = () => ({ storages: liveStorages, bytes: liveBytes });

/** Counted by references; freed with the last. A slice shares its parent's buffer and keeps it alive. */
export class Storage implements BufferRange {
  readonly device: Device;
  readonly buffer: DeviceBuffer;
  readonly offset: number;
  readonly length: number;
  private writes = 0;
  private references = 1;
  private readonly parent: Storage | null;

  private constructor(device: Device, buffer: DeviceBuffer, offset: number, length: number, parent: Storage | null) {
    this.device = device;
    this.buffer = buffer;
    this.offset = offset;
    this.length = length;
    this.parent = parent;
  }

  static allocate(device: Device, type: ElementType, length: number): Storage {
    const storage = new Storage(device, device.allocate(type, length), 0, length, null);
    liveStorages++;
    liveBytes += 4 * length;
    return storage;
  }

  /** Part of this storage; `offset` (in elements) is a multiple of `ALIGNMENT`. */
  slice(offset: number, length: number): Storage {
    if (offset % ALIGNMENT !== 0)
      throw new RangeError(`a storage slice begins at ${offset}, not a multiple of ${ALIGNMENT}`);
    this.retain();
    return new Storage(this.device, this.buffer, this.offset + offset, length, this);
  }

  retain(): void {
    if (this.isFreed) throw new Error('the tensor was disposed');
    this.references++;
  }

  release(): void {
    if (--this.references > 0) return;
    if (this.parent) {
      this.parent.release();
      return;
    }
    liveStorages--;
    liveBytes -= 4 * this.length;
    this.device.free(this.buffer);
  }

  /** Grows with every write to this range or to the whole it is part of: backward asks whether a saved value still stands. */
  get version(): number {
    return this.writes + (this.parent?.version ?? 0);
  }

  markWritten(): void {
    this.writes++;
  }

  get isFreed(): boolean {
    return this.references <= 0;
  }
}
