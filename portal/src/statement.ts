/** The statement as a file for spreadsheets. */
import { download } from './dom';
import { epochStatus } from './earnings';
import type { State } from './state';
import { csvCell, day, exact } from './text';

const HEADER = ['kind', 'settlement', 'from', 'to', 'status', 'stage', 'amount', 'token', 'base_units', 'why', 'transaction'];

/** Allocations by settlement, then payments from the chain; amounts with every digit. */
export function saveCsv(state: State): void {
  const { pool, person, history, chain, subject } = state;
  if (!pool || !subject) return;
  const plain = (amount: bigint) => exact(amount, pool.token.decimals).replace(/\u202f/g, '');
  const epochs = new Map(pool.epochs.map((epoch) => [epoch.number, epoch]));
  const allocated = (person?.reasons ?? []).map((reason) => {
    const epoch = epochs.get(reason.number);
    return ['allocated', String(reason.number), epoch ? day(epoch.from) : '', epoch ? day(epoch.to) : '', epoch && chain ? epochStatus(epoch, chain) : '',
      pool.stages[reason.stage]!, plain(reason.amount), pool.token.symbol, String(reason.amount), reason.reasons.join('; '), ''];
  });
  const paid = (history?.events ?? []).map((event) =>
    [event.name === 'Claimed' ? 'claimed' : event.name === 'Owed' ? 'kept_as_owed' : 'owed_withdrawn', '', '', '', '', event.name === 'Claimed' ? pool.stages[event.stage]! : '',
      plain(event.amount), pool.token.symbol, String(event.amount), '', event.transaction]);
  const lines = [HEADER, ...allocated, ...paid].map((cells) => cells.map(csvCell).join(','));
  download(`ame-statement-${subject.id.slice(-8)}.csv`, 'text/csv', `\ufeff${lines.join('\r\n')}\r\n`);
}
