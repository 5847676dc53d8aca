/**
 * Picking a launch: its box is marked with what feeds it and what it feeds, and the panel shows all that is known about it. Arrow keys go
 * to the next box in that direction, so that the graph is one stop for the Tab key. Without the script a box leads to its kernel's source.
 */
export const TAPE_SCRIPT = `
(() => {
  const holder = document.getElementById('tape-data');
  const svg = document.querySelector('svg.tape');
  const panel = document.getElementById('launch-details');
  if (!holder || !svg || !panel) return;
  const { launches, summaries, users, first } = JSON.parse(holder.textContent);
  const boxes = [...svg.querySelectorAll('a.launch')];
  const boxOf = new Map(boxes.map((box) => [Number(box.dataset.launch), box]));
  const flows = [...svg.querySelectorAll('.flows path')];
  const make = (tag, text, attributes = {}) => {
    const element = document.createElement(tag);
    if (text !== undefined) element.textContent = text;
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    return element;
  };
  const number = (value) => value === null ? 'not a number' : value === 0 ? '0' : Math.abs(value) >= 0.001 && Math.abs(value) < 1e6 ? String(Number(value.toPrecision(6))) : value.toExponential(2);
  const digits = (value) => value === null ? 'not a number' : String(Number(value.toPrecision(10)));
  const table = (caption, titles, rows) => {
    const scroll = make('div', undefined, { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': caption });
    const all = make('table');
    all.append(make('caption', caption));
    const head = make('tr');
    for (const title of titles) head.append(make('th', title, { scope: 'col' }));
    const thead = make('thead');
    thead.append(head);
    const body = make('tbody');
    for (const cells of rows) {
      const row = make('tr');
      cells.forEach((cell, i) => row.append(make(i === 0 ? 'th' : 'td', cell, i === 0 ? { scope: 'row' } : {})));
      body.append(row);
    }
    all.append(thead, body);
    scroll.append(all);
    return scroll;
  };
  const others = (title, list) => {
    const line = make('p', title + ': ');
    if (list.length === 0) line.append('none');
    list.slice(0, 12).forEach((index, i) => {
      const link = make('a', index + ' ' + launches[index].title, { href: '#launch-' + index });
      link.addEventListener('click', (event) => { event.preventDefault(); pick(index, true); });
      line.append(i > 0 ? ', ' : '', link);
    });
    if (list.length > 12) line.append(' and ' + (list.length - 12) + ' more');
    return line;
  };
  const source = (title, id, isOpen) => {
    const original = document.getElementById(id);
    if (!original) return '';
    const details = make('details');
    details.open = isOpen;
    details.append(make('summary', title));
    const shown = original.querySelector('pre').cloneNode(true);
    details.append(shown);
    return details;
  };
  const ulpTitle = (i) => i === 0 ? '0' : i === 18 ? '> 65536' : '≤ ' + 2 ** (i - 1);
  const statistics = (one) => {
    const parts = [];
    const share = (error, tolerance) => error === null ? 'no number' : error <= tolerance ? 'within' : 'beyond';
    parts.push(table('Against float64, from the same inputs', ['step and buffer', 'relative error', 'tolerance', 'judgement'],
      one.errors.map((e) => ['step ' + e.step + ', ' + e.buffer, number(e.error), e.tolerance === 0 ? 'exact' : number(e.tolerance), share(e.error, e.tolerance)])));
    parts.push(table('The element that is furthest off', ['step and buffer', 'element', 'computed', 'float64'],
      one.errors.map((e) => ['step ' + e.step + ', ' + e.buffer, String(e.worst.index), digits(e.worst.got), digits(e.worst.expected)])));
    if (one.more > 0) parts.push(make('p', one.more + ' more results are less far off.', { class: 'muted' }));
    const total = one.ulps.reduce((sum, value) => sum + value, 0);
    const rows = one.ulps.map((value, i) => [ulpTitle(i), String(value), (100 * value / Math.max(1, total)).toFixed(2) + ' %']).filter((row) => row[1] !== '0');
    parts.push(table('Elements by distance in units in the last place of float32', ['distance', 'elements', 'share'], rows));
    return parts;
  };
  const show = (index) => {
    const one = launches[index];
    const heading = make('h3', 'Launch ' + one.i + ': ' + one.title, { tabindex: '-1' });
    const facts = [make('p', one.place + '.'), make('p', summaries[one.kernel], { class: 'formula' })];
    if (one.flops !== null) facts.push(make('p', one.flops.toLocaleString('en') + ' floating-point operations.', { class: 'muted' }));
    const numbers = one.errors.length > 0 ? statistics(one) : [make('p', 'This launch was not replayed in this audit.')];
    const parameters = make('details');
    parameters.append(make('summary', 'Parameters of the launch'), make('p', one.params || 'none'));
    panel.replaceChildren(
      heading, ...facts,
      table('Buffers', ['buffer', 'access', 'type', 'shape', 'what it is'], one.buffers),
      others('Reads what these wrote', one.from), others('Is read by', one.to),
      ...numbers, parameters,
      source('Float64 reference (the definition)', 'definition-' + one.kernel, true),
      source('WGSL', 'wgsl-' + one.kernel, false),
      ...users[one.users].map((path) => source('Launched by ' + path + (path.startsWith('src/ops/') ? ': forward and backward' : ''), 'file-' + path.replace(/[^A-Za-z0-9]+/g, '-'), false)),
    );
    panel.scrollTop = 0;
  };
  const view = svg.parentElement;
  const reveal = (box) => {
    const [own, frame] = [box.getBoundingClientRect(), view.getBoundingClientRect()];
    if (own.top < frame.top + 40 || own.bottom > frame.bottom - 40) view.scrollTop += (own.top + own.bottom) / 2 - (frame.top + frame.bottom) / 2;
    if (own.left < frame.left) view.scrollLeft -= frame.left + 10 - own.left;
    else if (own.right > frame.right) view.scrollLeft += own.right - frame.right + 10;
  };
  let current = null;
  const pick = (index, isFocused) => {
    if (current !== null) {
      const before = boxOf.get(current);
      before.setAttribute('tabindex', '-1');
      before.removeAttribute('aria-current');
    }
    current = index;
    const box = boxOf.get(index);
    box.setAttribute('tabindex', '0');
    box.setAttribute('aria-current', 'true');
    const one = launches[index];
    svg.classList.add('picked');
    for (const other of boxes) {
      const i = Number(other.dataset.launch);
      other.classList.toggle('source', one.from.includes(i));
      other.classList.toggle('target', one.to.includes(i));
    }
    for (const flow of flows) {
      flow.classList.toggle('in', Number(flow.dataset.t) === index);
      flow.classList.toggle('out', Number(flow.dataset.f) === index);
    }
    show(index);
    if (isFocused) box.focus({ preventScroll: true });
    reveal(box);
  };
  for (const box of boxes) {
    box.setAttribute('role', 'button');
    box.setAttribute('tabindex', '-1');
    box.setAttribute('aria-controls', 'launch-details');
  }
  const placeOf = (box) => { const rect = box.querySelector('rect'); return [Number(rect.getAttribute('x')), Number(rect.getAttribute('y'))]; };
  const DIRECTIONS = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };
  const next = (box, [dx, dy]) => {
    const [x, y] = placeOf(box);
    let best = null, least = Infinity;
    for (const other of boxes) {
      const [ox, oy] = placeOf(other);
      const along = (ox - x) * dx + (oy - y) * dy;
      const aside = Math.abs((ox - x) * dy) + Math.abs((oy - y) * dx);
      if (along <= 0) continue;
      const far = along + 4 * aside;
      if (far < least) [best, least] = [other, far];
    }
    return best;
  };
  svg.addEventListener('click', (event) => {
    const box = event.target.closest('a.launch');
    if (!box) return;
    event.preventDefault();
    pick(Number(box.dataset.launch), true);
  });
  svg.addEventListener('keydown', (event) => {
    const box = event.target.closest('a.launch');
    if (!box) return;
    const direction = DIRECTIONS[event.key];
    if (direction) {
      event.preventDefault();
      const other = next(box, direction);
      if (other) pick(Number(other.dataset.launch), true);
    } else if (event.key === 'Enter' || event.key === ' ') {
      event.preventDefault();
      pick(Number(box.dataset.launch), true);
      panel.querySelector('h3').focus();
    }
  });
  document.addEventListener('click', (event) => {
    const link = event.target instanceof Element && event.target.closest('a[data-pick], a[href^="#kernel-"], a[href^="#file-"]');
    if (!link || svg.contains(link)) return;
    if (link.dataset.pick === undefined) {
      const details = document.getElementById(link.hash.slice(1))?.querySelector('details');
      if (details) details.open = true;
      return;
    }
    event.preventDefault();
    document.getElementById('tape').scrollIntoView();
    pick(Number(link.dataset.pick), true);
  });
  pick(launches[first] ? first : 0, false);
})();
`;

export const TAPE_STYLE = `
.tape-view { display: grid; grid-template-columns: minmax(0, 51rem) minmax(20rem, 1fr); gap: 1.25rem; width: min(94vw, 96rem); margin-left: 50%; transform: translateX(-50%); }
.tape-view > .scroll, #launch-details { max-height: 85vh; overflow: auto; border: 1px solid var(--rule); border-radius: 6px; }
#launch-details { padding: .25rem 1rem 1rem; background: var(--surface); } #launch-details h3 { margin-top: .75rem; overflow-wrap: anywhere; }
#launch-details thead th { background: transparent; } #launch-details table { font-size: .8125rem; min-width: 100%; } #launch-details td { white-space: nowrap; }
#launch-details pre, .source pre { font-size: .75rem; background: var(--page); white-space: pre; overflow-wrap: normal; max-height: 36rem; overflow: auto; }
.formula { font: .875rem/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
pre i { color: var(--muted); font-style: normal; } .path { color: var(--muted); font-size: .8125rem; margin: .75rem 0 .1rem; }
.source h4 { margin: 1rem 0 0; font-size: .9375rem; }
svg.tape { display: block; font: 11.5px system-ui, sans-serif; color: var(--ink); }
svg.tape text { fill: var(--ink); } svg.tape a { text-decoration: none; } svg.tape .heading { font-weight: 600; font-size: 12.5px; }
svg.tape .rules line { stroke: var(--faint); }
svg.tape .flows path { fill: none; stroke: var(--muted); stroke-opacity: .38; }
svg.tape .launch { cursor: pointer; } svg.tape .launch > rect:first-child { fill: var(--surface); stroke: var(--rule); }
svg.tape .launch.forward > rect:first-child { stroke: var(--series-1); } svg.tape .launch.backward > rect:first-child { stroke: var(--series-2); }
svg.tape .launch.update > rect:first-child { stroke: var(--series-3); }
svg.tape .launch.good .meter { fill: var(--good); } svg.tape .launch.bad .meter { fill: var(--bad); }
svg.tape .launch.bad > rect:first-child { stroke: var(--bad); stroke-width: 3; }
svg.tape .launch:hover > rect:first-child, svg.tape .launch:focus > rect:first-child { stroke-width: 2.5; }
svg.tape .launch:focus { outline: none; } svg.tape .launch:focus-visible > rect:first-child { stroke: var(--accent); stroke-width: 3; }
svg.tape .launch[aria-current] > rect:first-child { fill: var(--mark); stroke-width: 2.5; }
svg.tape .launch.source > rect:first-child, svg.tape .launch.target > rect:first-child { stroke-width: 2.5; stroke-dasharray: 5 2; }
svg.tape.picked .flows path { stroke-opacity: .18; } svg.tape.picked .flows path.in, svg.tape.picked .flows path.out { stroke-opacity: 1; stroke: var(--accent); stroke-width: 2; }
@media (max-width: 64rem) { .tape-view { grid-template-columns: minmax(0, 1fr); width: auto; margin-left: 0; transform: none; } .tape-view > .scroll { max-height: 60vh; } }
@media print { .tape-view { display: block; width: auto; margin: 0; transform: none; } .tape-view > .scroll { max-height: none; overflow: visible; border: 0; } svg.tape { width: 100%; height: auto; } #launch-details, #sources { display: none; } }
`;
