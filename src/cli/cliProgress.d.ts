/** The part of cli-progress that is used here; the package has no types of its own. */
declare module 'cli-progress' {
  export interface BarOptions {
    readonly format: string;
    readonly stream: NodeJS.WritableStream;
    readonly hideCursor?: boolean;
    readonly clearOnComplete?: boolean;
    readonly etaBuffer?: number;
    readonly fps?: number;
    readonly barsize?: number;
  }
  export class SingleBar {
    constructor(options: BarOptions);
    start(total: number, startValue: number, payload?: Readonly<Record<string, string>>): void;
    update(current: number, payload?: Readonly<Record<string, string>>): void;
    stop(): void;
  }
}
