/** Small pictures of one kind beside each other, one for each method. */

export interface Grid {
  readonly columns: number;
  readonly rows: number;
  /** Plot's facets of a mark, by its `panel`. */
  readonly place: {
    readonly fx: (mark: { readonly panel: number }) => number;
    readonly fy: (mark: { readonly panel: number }) => number;
  };
}

/** Three beside each other; four as two and two. */
export function gridOf(panels: number): Grid {
  const columns = panels === 4 ? 2 : Math.min(3, panels);
  const place = {
    fx: ({ panel }: { readonly panel: number }) => panel % columns,
    fy: ({ panel }: { readonly panel: number }) => Math.floor(panel / columns),
  };
  return { columns, rows: Math.ceil(panels / columns), place };
}
