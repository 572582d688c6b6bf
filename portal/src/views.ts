/** The page itself: each function draws one part from the state. */
import { bindForm, changePayout, claimRows, claimTo, exportClaim, openSigned, signForOthers, withdrawOwed } from './actions';
import { BIND_KEY } from './actions';
import { accountOf, isAccountId, type Epoch, type Reason } from './data';
import { button, h } from './dom';
import { type Row, epochStatus } from './earnings';
import { ACTIVE } from './chain';
import { stageAmounts } from './proof';
import { saveCsv } from './statement';
import { type Page, type State, isBound, isHolder, isReadable, wrongChain } from './state';
import { clean, count, day, duration, exactMoney, foreign, money, percent, shortHex, stageName } from './text';
import { switchChain } from './wallet';

export function header(page: Page): HTMLElement {
  const { state } = page;
  const { pool, connection } = state;
  const several = state.pools.length > 1;
  const picker = several
    ? h('select', { 'aria-label': 'Pool', 'data-key': 'pool', change: (event) => page.pickPool(state.pools[Number((event.target as HTMLSelectElement).value)]!) },
        ...state.pools.map((item, at) => h('option', { value: String(at), selected: item === pool }, clean(item.title, 40))))
    : pool && h('span', { class: 'pool' }, foreign(pool.title, 40));
  const account = connection
    ? h('span', { class: 'account' },
        connection.wallet.icon ? h('img', { src: connection.wallet.icon, alt: '', width: '20', height: '20' }) : null,
        h('span', { title: connection.account }, shortHex(connection.account)),
        button('Disconnect', 'disconnect', page.disconnect, { class: 'quiet' }))
    : null;
  return h('header', {}, h('div', { class: 'brand' }, h('strong', {}, 'AME'), picker), account);
}

export function notices(page: Page): HTMLElement[] {
  const { state } = page;
  const { pool, chain, earnings } = state;
  const items: (HTMLElement | null)[] = [];
  const notice = (kind: string, title: string, text: string, action?: HTMLElement) =>
    h('div', { class: `notice ${kind}` }, h('p', {}, h('strong', {}, title), ' ', text), action);
  if (state.broken) items.push(notice('bad', 'These files cannot be used.', state.broken));
  if (state.offline) items.push(notice('bad', 'The chain cannot be read.', state.offline, button('Try again', 'retry', () => void page.refresh())));
  if (wrongChain(state) && pool) {
    items.push(notice('warn', 'Wrong chain.', `Your wallet is on chain ${state.connection!.chainId}; this pool is on ${clean(pool.chain.name)} (chain ${pool.chain.id}).`,
      button(`Switch to ${clean(pool.chain.name, 24)}`, 'switch', () => {
        switchChain(state.connection!.wallet, pool).catch((error: unknown) => page.note(`The wallet did not switch. ${clean(String((error as Error)?.message ?? ''), 120)}`));
      }, { class: 'main' })));
  }
  if (earnings?.cancelled) {
    items.push(notice('warn', `Settlement ${earnings.cancelled.number} was cancelled.`, 'Its amounts are not paid; the revenue waits for the next settlement. What you earned before is untouched.'));
  }
  if (earnings?.newer && chain) {
    const missing = chain.number;
    items.push(notice('warn', 'This site is behind the chain.', `Settlement ${missing} is on the chain and not in these files: its amounts are missing here. The operator has to publish them.`));
  }
  if (earnings?.rows.some((row) => row.proof === 'false')) {
    items.push(notice('bad', 'A proof is false.', 'The chain does not confirm what these files say about you. The amount is not counted, and cannot be claimed with this proof.'));
  }
  if (earnings?.rows.some((row) => row.proof === 'replaced')) {
    items.push(notice('warn', 'A proof is out of date.', 'Newer settlements have replaced it. Your money is safe; claim when the operator has published the latest files.'));
  }
  if (state.connection?.contract) {
    items.push(notice('info', 'Your account is a contract.', 'A transaction may need more signers in your wallet; this page shows it when it is on the chain.'));
  }
  if (state.notice) items.push(notice('info', '', state.notice, button('Dismiss', 'dismiss', () => page.note(''), { class: 'quiet' })));
  return items.filter(Boolean) as HTMLElement[];
}

export function start(page: Page): HTMLElement {
  const { state } = page;
  const wallets = state.wallets.map((wallet) =>
    h('button', { type: 'button', class: 'wallet', 'data-key': `wallet-${wallet.id}`, click: () => page.connect(wallet) },
      wallet.icon ? h('img', { src: wallet.icon, alt: '', width: '28', height: '28' }) : h('span', { class: 'no-icon', 'aria-hidden': 'true' }),
      h('span', {}, 'Connect ', foreign(wallet.name, 32))));
  return h('section', { class: 'start card', 'aria-labelledby': 'start-title' },
    h('h1', { id: 'start-title' }, 'See what you earned, why, and claim it'),
    h('p', {}, 'Your contributions to AI products earn a part of every sale. Connect the wallet that you are paid to; the page asks it for nothing but your address.'),
    wallets.length
      ? h('div', { class: 'wallets' }, ...wallets)
      : h('p', { class: 'muted', id: 'no-wallet' }, 'No wallet was found in this browser. Install one as a browser extension, or open this page in your wallet’s own browser. You can look without a wallet:'),
    lookup(page));
}

export function lookup(page: Page): HTMLElement {
  const names = [...(page.state.pool?.registrars.keys() ?? [])].map((name) => `${clean(name, 16)}:name`).join(', ');
  return h('form', { class: 'lookup', role: 'search', submit: (event) => {
    event.preventDefault();
    page.look(((event.target as HTMLFormElement).elements.namedItem('who') as HTMLInputElement).value);
  } },
    h('label', { for: 'who' }, 'Look up an address or a name'),
    h('div', { class: 'row' },
      h('input', { id: 'who', name: 'who', 'data-key': 'who', autocomplete: 'off', spellcheck: 'false', placeholder: names ? `0x… or ${names}` : '0x…' }),
      h('button', { type: 'submit', 'data-key': 'look' }, 'Look up')));
}

export function subject(page: Page): HTMLElement {
  const { state } = page;
  const { subject: who, names, connection } = state;
  const own = connection ? [{ id: `0x${connection.account.slice(2).toLowerCase().padStart(64, '0')}` as const, label: 'My address' }, ...names] : [];
  const tabs = own.length > 1
    ? h('nav', { class: 'tabs', 'aria-label': 'My ids' }, ...own.map((item) =>
        button(clean(item.label, 32), `id-${item.id}`, () => page.subject(item.id, item.label), { 'aria-current': item.id === who?.id ? 'true' : undefined })))
    : null;
  const name = state.person?.name || (who && !isAccountId(who.id) ? who.label : '');
  return h('div', { class: 'subject' },
    h('h1', {}, 'Earnings of ', name ? foreign(name) : h('code', { title: who ? accountOf(who.id) ?? who.id : '' }, who ? shortHex(accountOf(who.id) ?? who.id) : '')),
    tabs,
    state.chain && state.pool && who ? h('p', { class: 'print-only' }, `As of ${new Date(state.chain.time * 1000).toISOString().slice(0, 16).replace('T', ' ')} UTC · pool ${state.pool.address} on ${clean(state.pool.chain.name)} (${state.pool.chain.id}) · id ${who.id}`) : null);
}

export function summary(page: Page): HTMLElement {
  const { state } = page;
  const { earnings, pool } = state;
  if (!pool || !earnings) {
    return h('section', { class: 'card summary', 'aria-busy': 'true' }, h('p', { class: 'muted' }, state.offline ? 'Amounts appear when the chain can be read.' : 'Reading the chain…'));
  }
  const figure = (key: string, label: string, amount: bigint, hint = '') =>
    h('div', { class: `figure ${key}`, id: `figure-${key}` }, h('dt', {}, label), h('dd', {}, money(amount, pool.token), hint ? h('small', {}, hint) : null));
  const waiting = earnings.pending > 0n ? (earnings.secondsLeft > 0 ? `claimable in ${duration(earnings.secondsLeft)}, unless it is challenged` : 'in a moment') : '';
  const claimable = earnings.rows.filter((row) => row.claimable > 0n);
  const bound = isBound(state);
  const can = claimable.length > 0 && state.connection && !wrongChain(state) && isReadable(state) && bound;
  const main = can
    ? button(claimable.length > 1 ? `Claim all: ${exactMoney(earnings.claimable, pool.token)}` : `Claim ${exactMoney(earnings.claimable, pool.token)}`, 'claim-all', () => void claimRows(page, claimable), { class: 'main' })
    : null;
  const why = main ? null
    : earnings.rows.some((row) => row.proof === 'false' || row.proof === 'replaced') && earnings.claimable === 0n ? 'Nothing is proven that could be claimed.'
    : earnings.claimable === 0n ? (earnings.earned + earnings.pending > 0n ? 'Nothing to claim right now.' : 'This id has earned nothing in this pool so far.')
    : !bound ? 'This name is not bound to a wallet yet. The money waits for its holder.'
    : !state.connection ? 'Connect a wallet to claim. Anybody may send it; the money goes to the payout address of this id.'
    : null;
  return h('section', { class: 'card summary', 'aria-label': 'Summary' },
    h('dl', { class: 'figures' },
      figure('claimable', bound ? 'Claimable' : 'Waits for binding', earnings.claimable),
      figure('pending', 'Pending', earnings.pending, waiting),
      figure('claimed', 'Claimed', earnings.claimed),
      figure('earned', 'Earned so far', earnings.earned)),
    main, why ? h('p', { class: 'muted', id: 'why-not' }, why) : null,
    bound && state.chain ? h('p', { class: 'muted' }, 'Paid to ', h('code', {}, state.chain.payout)) : null,
    state.chain && state.chain.owed > 0n ? h('div', { class: 'owed' },
      h('p', {}, h('strong', {}, 'Waiting for you: '), money(state.chain.owed, pool.token), ' that your payout address refused. Send it to another address.'),
      isHolder(state) ? button('Withdraw', 'withdraw', () => withdrawOwed(page)) : null) : null);
}

const PROOFS = { none: '–', proven: '✓ proven', false: '✗ false', replaced: 'out of date' };

export function stages(page: Page): HTMLElement | null {
  const { state } = page;
  const { earnings, pool } = state;
  if (!pool || !earnings) return null;
  const bound = isBound(state);
  const able = bound && state.connection && !wrongChain(state) && isReadable(state);
  const claimable = bound ? 'Claimable' : 'Waits for binding';
  const line = (row: Row) => h('tr', {},
    h('th', { scope: 'row' }, stageName(pool.stages[row.stage]!)),
    ...([['Earned', row.earned], ['Pending', row.pending], ['Claimed', row.claimed], [claimable, row.claimable]] as const).map(([label, amount]) =>
      h('td', { 'data-label': label, class: amount === 0n ? 'zero' : '' }, money(amount, pool.token))),
    h('td', { 'data-label': 'Proof', class: `proof ${row.proof}` }, PROOFS[row.proof]),
    h('td', { class: 'do' }, able && row.claimable > 0n
      ? button('Claim', `claim-${row.stage}`, () => void claimRows(page, [row]), { 'aria-label': `Claim ${stageName(pool.stages[row.stage]!)}` }) : null));
  return h('section', { class: 'card', 'aria-labelledby': 'stages-title' },
    h('h2', { id: 'stages-title' }, 'By stage'),
    h('table', {}, h('thead', {}, h('tr', {}, ...['Stage', 'Earned', 'Pending', 'Claimed', claimable, 'Proof', ''].map((title) => h(title ? 'th' : 'td', title ? { scope: 'col' } : {}, title)))),
      h('tbody', {}, ...earnings.rows.map(line))),
    earnings.unexplained !== 0n && earnings.earned > 0n
      ? h('p', { class: 'muted', id: 'unexplained' }, `The proven amount counts. The explanations below add up to ${earnings.unexplained > 0n ? 'less' : 'more'} than that, by ${exactMoney(earnings.unexplained > 0n ? earnings.unexplained : -earnings.unexplained, pool.token)}.`) : null);
}

export function more(page: Page): HTMLElement | null {
  const { state } = page;
  const { earnings, pool } = state;
  if (!pool || !earnings) return null;
  const claimable = earnings.rows.filter((row) => row.claimable > 0n);
  const ready = state.connection && !wrongChain(state) && isReadable(state);
  const holder = isHolder(state);
  const actions = [
    ready && holder && claimable.length ? button('Claim to another address', 'claim-to', () => claimTo(page, claimable)) : null,
    ready && holder && claimable.length ? button('Let somebody else send it', 'sign-only', () => signForOthers(page, claimable)) : null,
    ready ? button('Send a signed claim', 'open-signed', () => openSigned(page)) : null,
    ready && holder ? button('Change payout address', 'payout', () => changePayout(page)) : null,
    ready ? button('Bind a name', BIND_KEY, () => bindForm(page)) : null,
    claimable.length ? button('Save the proof', 'export-proof', () => exportClaim(page, claimable)) : null,
  ].filter(Boolean) as HTMLElement[];
  if (!actions.length) return null;
  return h('section', { class: 'card actions', 'aria-labelledby': 'more-title' }, h('h2', { id: 'more-title' }, 'More'), h('div', { class: 'row wrap' }, ...actions));
}

export function why(page: Page): HTMLElement | null {
  const { state } = page;
  const { pool, person, chain } = state;
  if (!pool || !person) return null;
  const mine = new Map<bigint, Reason[]>();
  for (const reason of person.reasons) mine.set(reason.number, [...(mine.get(reason.number) ?? []), reason]);
  const epochs = [...pool.epochs].reverse().filter((epoch) => mine.has(epoch.number));
  if (!epochs.length) return null;
  return h('section', { class: 'card why', 'aria-labelledby': 'why-title' },
    h('h2', { id: 'why-title' }, 'Where it comes from'),
    ...epochs.map((epoch) => {
      const reasons = mine.get(epoch.number)!;
      const total = reasons.reduce((sum, reason) => sum + reason.amount, 0n);
      const status = chain ? epochStatus(epoch, chain) : 'unknown';
      const shown = h('details', { 'data-key': `epoch-${epoch.number}` },
        h('summary', {}, h('span', {}, `Settlement ${epoch.number}`), h('span', { class: 'muted' }, epoch.from ? `${day(epoch.from)} – ${day(epoch.to)}` : ''), h('span', { class: `tag ${status}` }, status), money(total, pool.token)));
      const fill = () => {
        if (!(shown as HTMLDetailsElement).open || shown.childElementCount > 1) return;
        shown.append(explanation(page, epoch, reasons));
        page.check(epoch.number);
      };
      shown.addEventListener('toggle', fill);
      return shown;
    }));
}

function explanation(page: Page, epoch: Epoch, reasons: Reason[]): HTMLElement {
  const pool = page.state.pool!;
  const revenue = epoch.table.at(-1)!;
  const computed = stageAmounts(epoch.table);
  const right = computed.every((amount, at) => amount === epoch.amounts[at]);
  return h('div', { class: 'steps' },
    h('h3', {}, '1. What was sold'),
    h('ul', { class: 'plain' }, ...epoch.sales.map((sale) => h('li', {}, foreign(sale.pipeline, 40), `: ${count(sale.count, 'sale')}, `, money(sale.amount, pool.token))),
      h('li', {}, h('strong', {}, 'Revenue: ', money(revenue, pool.token)))),
    h('h3', {}, '2. What each stage added'),
    h('ul', { class: 'plain bars' }, ...pool.stages.map((stage, at) => h('li', {},
      h('span', { class: 'bar-name' }, stageName(stage)),
      h('meter', { min: '0', max: '1', value: String(revenue ? Number((epoch.amounts[at]! * 10000n) / revenue) / 10000 : 0), 'aria-label': stageName(stage) }),
      h('span', {}, percent(epoch.amounts[at]!, revenue), ' · ', money(epoch.amounts[at]!, pool.token))))),
    h('p', { class: 'muted' }, right
      ? 'These are the Shapley values of the table below, computed again by this page.'
      : h('strong', { class: 'bad-text' }, 'These amounts do not follow from the table below.')),
    h('p', { class: 'muted', 'data-check': String(epoch.number) }, checkText(page.state, epoch.number)),
    h('details', {}, h('summary', {}, 'Value table: what each combination of stages is worth'),
      h('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Value table' },
        h('table', { class: 'values' }, h('thead', {}, h('tr', {}, h('th', { scope: 'col' }, 'Stages that took part'), h('th', { scope: 'col' }, 'Worth'))),
          h('tbody', {}, ...epoch.table.map((value, coalition) => h('tr', {},
            h('td', {}, pool.stages.filter((_, at) => (coalition >> at) & 1).map(stageName).join(' + ') || 'none'),
            h('td', {}, (value < 0n ? '−' : ''), money(value < 0n ? -value : value, pool.token)))))))),
    h('h3', {}, '3. Your part of it'),
    ...reasons.map((reason) => {
      const whole = epoch.updates[reason.stage]!.weightTotal;
      return h('div', { class: 'part' },
        h('p', {}, h('strong', {}, stageName(pool.stages[reason.stage]!)), `: ${percent(reason.weight, whole)} of `, money(epoch.amounts[reason.stage]!, pool.token), ' = ', h('strong', {}, money(reason.amount, pool.token))),
        h('ul', { class: 'reasons' }, ...reason.reasons.slice(0, 100).map((text) => h('li', {}, foreign(text, 240))),
          reason.reasons.length > 100 ? h('li', {}, `and ${reason.reasons.length - 100} more`) : null));
    }),
    h('p', { class: 'muted' }, 'Evidence (SHA-256 of the bundle’s manifest): ', h('code', { class: 'long' }, epoch.evidence)));
}

export function checkText(state: State, number: bigint): string {
  const check = state.checks.get(number);
  if (!check || check === 'asking') return 'Comparing with the chain…';
  if (check.transaction === null) return 'The node does not tell this settlement’s event, so the table was not compared with the chain.';
  if (!check.matches) return '✗ The chain has another table for this settlement: do not believe these files.';
  return check.evidence ? '✓ The same table, amounts and evidence stand on the chain.' : '✗ The table is the chain’s, but the evidence is another: these files are not the published bundle.';
}

const EVENTS: Record<string, string> = { Claimed: 'Claimed', Owed: 'Refused by the recipient, kept', OwedWithdrawn: 'Withdrawn' };

export function history(page: Page): HTMLElement | null {
  const { state } = page;
  const { pool } = state;
  if (!pool || !state.history) return null;
  const { events, whole } = state.history;
  const link = (hash: string) => pool.chain.explorer
    ? h('a', { href: `${pool.chain.explorer}/tx/${hash}`, target: '_blank', rel: 'noopener noreferrer' }, shortHex(hash))
    : h('code', { class: 'hash', title: hash, tabindex: '0' }, hash);
  return h('section', { class: 'card', 'aria-labelledby': 'history-title' },
    h('h2', { id: 'history-title' }, 'Payments'),
    events.length
      ? h('ul', { class: 'plain payments' }, ...events.slice(0, 500).map((event) => h('li', {},
          h('span', {}, EVENTS[event.name] ?? event.name, event.name === 'Claimed' ? ` · ${stageName(pool.stages[event.stage] ?? '')}` : ''),
          money(event.amount, pool.token),
          h('span', { class: 'muted' }, `block ${event.block} · `, link(event.transaction)))))
      : h('p', { class: 'muted' }, 'No payments yet.'),
    whole ? null : h('p', { class: 'muted' }, 'The node tells only of recent blocks; older payments are counted above and not listed here.'),
    h('div', { class: 'row wrap screen' },
      button('Save statement (CSV)', 'csv', () => saveCsv(state)),
      button('Print statement', 'print', () => { for (const item of document.querySelectorAll<HTMLDetailsElement>('.why > details')) item.open = true; setTimeout(() => print(), 50); })));
}

export const settled = (state: State): boolean => state.chain !== null && [...state.chain.statuses.values()].some((status) => status === ACTIVE);
