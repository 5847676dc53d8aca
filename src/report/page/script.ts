/**
 * The little that pages do beyond showing themselves: a legend's entry, when pointed at or focused, brings its series forward; pressed, it
 * stays so. Delegated from the document, so that it also holds for what a live page puts in later.
 */
export const SCRIPT = `
(() => {
  const entryOf = (event) => event.target instanceof Element && event.target.closest('.legend button');
  const pick = (figure, series) => {
    figure.classList.toggle('picked', series !== null);
    for (const mark of figure.querySelectorAll('.series')) mark.classList.toggle('lit', mark.classList.contains(series));
  };
  const settle = (figure) => {
    const pressed = figure.querySelector('.legend button[aria-pressed=true]');
    pick(figure, pressed && pressed.dataset.series);
  };
  for (const [type, isOn] of [['pointerover', true], ['focusin', true], ['pointerout', false], ['focusout', false]]) {
    document.addEventListener(type, (event) => {
      const entry = entryOf(event);
      const figure = entry && entry.closest('figure');
      if (!figure) return;
      if (isOn) pick(figure, entry.dataset.series);
      else settle(figure);
    });
  }
  document.addEventListener('click', (event) => {
    const entry = entryOf(event);
    const figure = entry && entry.closest('figure');
    if (!figure) return;
    const isPressed = entry.getAttribute('aria-pressed') === 'true';
    for (const other of figure.querySelectorAll('.legend button')) other.setAttribute('aria-pressed', 'false');
    entry.setAttribute('aria-pressed', String(!isPressed));
    settle(figure);
  });
})();
`;
