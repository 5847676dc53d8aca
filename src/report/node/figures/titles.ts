import type { Task } from '../../aggregate.ts';

/** The title of a figure, with its task where there are several. */
export const inTask = (title: string, { shortName }: Task): string =>
  shortName === '' ? title : `${title}: ${shortName}`;
