const maxLines = 5;
const maxLength = 800;

/** What another program says, fit to be shown: its first lines that say something, without control characters or endless length. */
export function plainText(text: string): string {
  const lines = text
    .replace(/\p{Cc}\[[0-9;?]*[A-Za-z]/gu, '')
    .split(/[\r\n]+/)
    .map(line =>
      line
        .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '')
        .replace(/^remote: /, '')
        .trim(),
    )
    .filter(line => line !== '');
  const kept = lines.slice(0, maxLines).join('\n');
  return kept.length > maxLength ? `${kept.slice(0, maxLength)}…` : kept;
}
