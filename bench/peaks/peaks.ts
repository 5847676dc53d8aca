/** What a machine can do at most, measured in the same run as everything else: the two lines of a roofline. */
import type { Subject } from '../timing.ts';

export interface Peaks {
  /** How the peaks are measured, for the record. */
  readonly description: string;
  /** Multiplications and additions on registers alone; one repetition is `FLOPS_PER_REPETITION`. */
  readonly arithmetic: Subject;
  readonly flopsPerRepetition: number;
  /**
   * A copy that moves `bytes` in all, half of them read and half written: a kernel that moves as many cannot do better, whether
   * they fit into a cache or not. Made once and closed by the caller.
   */
  copy(bytes: number): Promise<CopyPeak>;
  close(): void;
}

export interface CopyPeak {
  readonly subject: Subject;
  /** Read and written by one repetition. */
  readonly bytes: number;
  close(): void;
}
