/** The first key that occurs twice in one object of `text`, or null. `text` must be valid JSON (JSON.parse keeps the last silently). */
export function duplicateJsonKey(text: string): string | null {
  const keysOfOpenObjects: Set<string>[] = [];
  let at = 0;
  while (at < text.length) {
    const character = text[at];
    if (character === '{') keysOfOpenObjects.push(new Set());
    else if (character === '}') keysOfOpenObjects.pop();
    if (character !== '"') {
      at++;
      continue;
    }
    let end = at + 1;
    while (text[end] !== '"') end += text[end] === '\\' ? 2 : 1;
    const literal = text.slice(at, end + 1);
    at = end + 1;
    while (at < text.length && /\s/.test(text[at]!)) at++;
    // In valid JSON a colon follows a string exactly when it is a key.
    if (text[at] !== ':') continue;
    const key: string = JSON.parse(literal);
    const keys = keysOfOpenObjects.at(-1)!;
    if (keys.has(key)) return key;
    keys.add(key);
  }
  return null;
}
