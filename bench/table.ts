/** The table in Markdown. */
import { quantile } from './quantile.ts';
import { judge, type MeasuredRow } from './row.ts';

const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;

const titles = ['row', 'modforge', 'reference', 'ratio (quartiles)', 'limit', 'verdict'];

export const tableHead = [line(titles), line(titles.map(() => '---'))].join('\n');

/** One row of it: medians, and of the rounds' quotients also the quartiles. */
export function tableRow(row: MeasuredRow): string {
  const { name, samples, limit, format } = row;
  const ours = samples.map(sample => sample.ours);
  const references = samples.map(sample => sample.reference);
  const ratios = samples.map(({ ours, reference }) => ours / reference);
  const ratioAt = (part: number) => digits(quantile(ratios, part));
  return line([
    name,
    format(quantile(ours, 0.5)),
    format(quantile(references, 0.5)),
    `${ratioAt(0.5)} (${ratioAt(0.25)} to ${ratioAt(0.75)})`,
    limit.text,
    judge(row),
  ]);
}

const digits = (ratio: number): string => (Math.abs(ratio) < 10 ? ratio.toFixed(2) : ratio.toFixed(0));
