import { spawnSync } from 'node:child_process';

/** Whether a `go` command is installed. */
export const hasGo: boolean = spawnSync('go', ['version']).status === 0;
