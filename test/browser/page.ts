/** The page's script: offers `train` to the test that drives the browser. */
import { train } from './training.ts';

declare global {
  var trainInPage: typeof train;
}

globalThis.trainInPage = train;
