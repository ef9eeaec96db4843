/** Figures as the table shows them: three digits that count. */
const digits = (value: number): string =>
  value >= 100 ? Math.round(value).toLocaleString('en') : value.toPrecision(3);

export const formatTime = (ms: number): string => (Math.abs(ms) < 1000 ? `${digits(ms)} ms` : `${digits(ms / 1000)} s`);

export const formatMegabytes = (bytes: number): string => `${digits(bytes / 1e6)} MB`;

export const formatRate = (perSecond: number): string => `${digits(perSecond)} /s`;

export const formatByteRate = (perSecond: number): string => `${digits(perSecond / 1e6)} MB/s`;
