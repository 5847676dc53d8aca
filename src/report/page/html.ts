/** HTML that is escaped unless it was made by `html` itself: names of classes, files and layers cannot become markup. */

/** Markup, already escaped. */
export interface Html {
  readonly markup: string;
}

/** What may stand in a template: text is escaped, markup is taken as it is, lists are joined, nothing is left out. */
export type Content = Html | string | number | null | undefined | false | readonly Content[];

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** For text and for attributes in quotes. */
export const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (character) => ENTITIES[character]!);

/** Takes a string for markup. Only for what the program itself wrote. */
export const trusted = (markup: string): Html => ({ markup });

export const NOTHING: Html = trusted('');

/** A tagged template: html`<td>${name}</td>`. */
export function html(pieces: TemplateStringsArray, ...contents: readonly Content[]): Html {
  return trusted(pieces.map((piece, i) => piece + markupOf(contents[i])).join(''));
}

export function markupOf(content: Content): string {
  if (content === null || content === undefined || content === false) return '';
  if (typeof content === 'object') {
    if ('markup' in content) return content.markup;
    return content.map(markupOf).join('');
  }
  return escapeHtml(String(content));
}
