/** Called when someone begins to wait for the device; `isWaiting` tells as long as anyone does. */
export type WhileWaiting = (isWaiting: () => boolean) => void;

let createWhileWaiting: () => WhileWaiting | undefined = () => undefined;

/** What the platform does while a promise of a software adapter is pending. Importing `node.ts` sets Node's. */
export function setWhileWaiting(create: () => WhileWaiting): void {
  createWhileWaiting = create;
}

/** Promises that are waited for, so that a failure of the device rejects all of them at once. */
export class Waiters {
  readonly #whileWaiting: WhileWaiting | undefined;
  readonly #rejections = new Set<(error: Error) => void>();
  #failure: Error | undefined;

  constructor(isSoftware: boolean) {
    this.#whileWaiting = isSoftware ? createWhileWaiting() : undefined;
  }

  get failure(): Error | undefined {
    return this.#failure;
  }

  /** The first failure counts. */
  fail(error: Error): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    for (const reject of this.#rejections) reject(error);
    this.#rejections.clear();
  }

  /** Settles as `promise` does, or rejects with the device's failure if that comes first. */
  guard<T>(promise: Promise<T>): Promise<T> {
    // It may reject after the device's failure has been reported in its place.
    promise.catch(() => undefined);
    return this.until((resolve, reject) => promise.then(resolve, reject));
  }

  /** Settles when `start` says so, or rejects with the device's failure if that comes first. */
  until<T>(start: (resolve: (value: T) => void, reject: (error: Error) => void) => void): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#failure !== undefined) {
        reject(this.#failure);
        return;
      }
      this.#rejections.add(reject);
      this.#whileWaiting?.(() => this.#rejections.size > 0);
      start(
        (value) => {
          this.#rejections.delete(reject);
          if (this.#failure === undefined) resolve(value);
          else reject(this.#failure);
        },
        (error) => {
          this.#rejections.delete(reject);
          reject(this.#failure ?? error);
        },
      );
    });
  }
}
