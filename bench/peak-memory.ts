/** The resident memory of a process, as Linux counts it (proc(5)). */
import { readFile, writeFile } from 'node:fs/promises';

/** By how many bytes the process was larger at its largest, while `work` was done, than before it. */
export async function peakMemory(pid: number, work: () => Promise<void>): Promise<number> {
  const idle = await readStatus(pid, 'VmRSS');
  // 5 makes the peak what it is now.
  await writeFile(`/proc/${pid}/clear_refs`, '5');
  await work();
  return (await readStatus(pid, 'VmHWM')) - idle;
}

async function readStatus(pid: number, field: 'VmRSS' | 'VmHWM'): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const kibibytes = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1];
  if (kibibytes === undefined) throw new Error(`/proc/${pid}/status has no ${field}`);
  return Number(kibibytes) * 1024;
}
