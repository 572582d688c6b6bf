/** How amounts, times, ids and other people's names are written. */
import { h } from './dom';

const INVISIBLE = /[\u0000-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb]|[\u{e0000}-\u{e0fff}]/gu;

/** Somebody else's text, at most `length` characters, with every control, bidi and invisible character made visible. */
export function clean(text: string, length = 48): string {
  const start = text.slice(0, 4 * length).replace(INVISIBLE, '\ufffd').replace(/\p{M}{3,}/gu, (marks) => marks.slice(0, 2));
  const letters = [...start];
  const cut = letters.length > length || text.length > 4 * length;
  return cut ? letters.slice(0, length - 1).join('').trimEnd() + '…' : start;
}

/** The same, isolated so that its direction cannot reorder what stands around it. */
export function foreign(text: string, length = 48): HTMLElement {
  return h('bdi', { title: clean(text, 200) }, clean(text, length));
}

/** Every digit of an amount in base units: 1234500 with 6 decimals is 1.2345. */
export function exact(amount: bigint, decimals: number): string {
  const digits = amount.toString().padStart(decimals + 1, '0');
  const whole = digits.slice(0, digits.length - decimals).replace(/\B(?=(\d{3})+$)/g, '\u202f');
  const part = decimals === 0 ? '' : digits.slice(-decimals).replace(/0+$/, '');
  return part ? `${whole}.${part}` : whole;
}

/** At most six decimals, cut and never rounded up; `…` says that there is more. */
export function short(amount: bigint, decimals: number): string {
  const full = exact(amount, decimals);
  const dot = full.indexOf('.');
  return dot < 0 || full.length - dot <= 7 ? full : full.slice(0, dot + 7) + '…';
}

export function money(amount: bigint, token: { symbol: string; decimals: number }): HTMLElement {
  const full = `${exact(amount, token.decimals)} ${clean(token.symbol, 12)}`;
  return h('span', { class: 'money', title: full }, short(amount, token.decimals), ' ', h('span', { class: 'unit' }, clean(token.symbol, 12)));
}

export function exactMoney(amount: bigint, token: { symbol: string; decimals: number }): string {
  return `${exact(amount, token.decimals)} ${clean(token.symbol, 12)}`;
}

export function percent(part: bigint, whole: bigint): string {
  if (whole === 0n) return '0 %';
  const hundredths = (part * 10000n) / whole;
  return `${hundredths / 100n}.${String(hundredths % 100n).padStart(2, '0')} %`;
}

export function duration(seconds: number): string {
  if (seconds < 60) return 'less than a minute';
  const minutes = Math.ceil(seconds / 60);
  const parts: [number, string][] = [
    [Math.floor(minutes / 1440), 'day'],
    [Math.floor((minutes % 1440) / 60), 'hour'],
    [minutes % 60, 'minute'],
  ];
  const first = parts.findIndex(([count]) => count > 0);
  return parts
    .slice(first, first + 2)
    .filter(([count]) => count > 0)
    .map(([count, word]) => `${count} ${word}${count === 1 ? '' : 's'}`)
    .join(' ');
}

/** Every second of a time: 90061 is 1 day 1 hour 1 minute 1 second. */
export function exactTime(seconds: number): string {
  const parts: [number, string][] = [[86_400, 'day'], [3600, 'hour'], [60, 'minute'], [1, 'second']];
  const said = parts.map(([unit, word], at) => [Math.floor((at ? seconds % parts[at - 1]![0] : seconds) / unit), word] as const);
  return said.filter(([number]) => number > 0).map(([number, word]) => count(number, word)).join(' ') || '0 seconds';
}

export function day(time: string): string {
  return time.slice(0, 10);
}

export function shortHex(hex: string): string {
  return hex.length > 14 ? `${hex.slice(0, 6)}…${hex.slice(-4)}` : hex;
}

export function count(number: number, word: string): string {
  return `${number} ${word}${number === 1 ? '' : 's'}`;
}

/** training_data -> Training data */
export function stageName(stage: string): string {
  const words = clean(stage, 40).replace(/_/g, ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** One cell of a CSV file; a leading = + - @ would be run as a formula by spreadsheets. */
export function csvCell(text: string): string {
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return `"${safe.replace(/"/g, '""')}"`;
}
