/**
 * What an agent that breaks may say. The message of an error quotes what was at hand, a path or an argument perhaps, and
 * standard error ends in a log: so the kind of the error, its code and the places in our code are told, and never its message.
 */
const MOST_PLACES = 12;

export function lastWords(error: unknown): string {
  if (!(error instanceof Error)) return `hushwatch agent: it broke (${typeof error})\n`;
  const code =
    'code' in error && typeof error.code === 'string' && /^[A-Z0-9_]{1,64}$/.test(error.code) ? error.code : '';
  const kind = /^[A-Za-z]{1,64}$/.test(error.name) ? error.name : 'Error';
  return `hushwatch agent: it broke (${[kind, code].filter(Boolean).join(' ')})\n${placesOf(error)}`;
}

/** A stack begins with the message, which may look like a place: what is cut off is exactly as long as that. */
function placesOf(error: Error): string {
  const told = String(error);
  if (error.stack?.startsWith(`${told}\n`) !== true) return '';
  const places = error.stack.slice(told.length + 1).split('\n', MOST_PLACES);
  return `${places.join('\n')}\n`;
}

/** From here on nothing that goes wrong in this process is printed otherwise. */
export function guardLastWords(): void {
  process.on('uncaughtException', (error: unknown) => {
    process.stderr.write(lastWords(error));
    process.exit(1);
  });
}
