/** The page: keeps the state, reacts to wallets and time, draws. */
import type { Hex } from 'viem';
import { bindWith, fromLink, interrupt, readVoucher } from './actions';
import { isContract, pageClient, readHistory, readNames, readProposal, readState, walletClient } from './chain';
import { BrokenData, type Pool, accountId, loadPerson, loadPool, loadPools, namedId, toId } from './data';
import { h, show } from './dom';
import { earnings } from './earnings';
import { explain, unreachable } from './errors';
import { type Page, type State, wrongChain } from './state';
import { clean, shortHex } from './text';
import { checkText, header, history, lookup, more, notices, stages, start, subject, summary, why } from './views';
import { type Connection, type Provider, type Wallet, connect, discover } from './wallet';

const REFRESH_MS = 12_000;

const state: State = {
  pools: [], pool: null, wallets: [], connection: null, subject: null, names: [], person: null, chain: null, earnings: null,
  history: null, checks: new Map(), loading: true, offline: '', broken: '', notice: '',
};
// Screen readers listen to the element of the notices, so it stays while they change.
const place = { header: h('div'), notices: h('div', { class: 'notices', role: 'status', 'aria-live': 'polite' }), main: h('main', { id: 'main', tabindex: '-1' }) };
let round = 0; // answers to older questions are not drawn
let client = pageClient('http://127.0.0.1');

const page: Page = {
  state,
  // The wallet's own node is the contributor's choice; the site's node is the operator's.
  reader: () => (state.connection && !wrongChain(state) ? walletClient(state.connection.wallet.provider) : client),
  node: () => client,
  render,
  refresh,
  look,
  subject: setSubject,
  connect: (wallet) => void connectTo(wallet, true),
  disconnect,
  pickPool: (pool) => void usePool(pool),
  note: (text) => { state.notice = text; render(); },
  check: (number) => void check(number),
};

// A click counts where the same element was pressed and let go, so nothing is replaced in between.
let pressed = false;
let waiting = false;
addEventListener('pointerdown', (event) => { pressed = event.button === 0 && (event.target as Element).closest('button') !== null; }, true);
for (const end of ['pointerup', 'pointercancel']) {
  addEventListener(end, () => setTimeout(() => { pressed = false; if (waiting) render(); }), true);
}

function render(): void {
  waiting = pressed;
  if (waiting) return;
  show(place.header, header(page));
  const said = notices(page);
  const text = (items: Iterable<Element>) => [...items].map((item) => item.textContent).join('\n');
  if (text(said) !== text(place.notices.children)) show(place.notices, ...said);
  const parts: (HTMLElement | null)[] = [];
  if (state.loading && !state.pool && !state.broken) parts.push(h('p', { class: 'muted' }, 'Opening…'));
  else if (state.pool && !state.subject) parts.push(start(page));
  else if (state.pool) {
    parts.push(subject(page), summary(page), stages(page), more(page), why(page), history(page), footer());
  }
  show(place.main, ...(parts.filter(Boolean) as HTMLElement[]));
}

function footer(): HTMLElement {
  const wallets = state.connection ? [] : state.wallets.map((wallet) =>
    h('button', { type: 'button', 'data-key': `wallet-${wallet.id}`, click: () => page.connect(wallet) }, `Connect ${clean(wallet.name, 32)}`));
  return h('section', { class: 'card screen', 'aria-label': 'Other ids' }, wallets.length ? h('div', { class: 'row wrap' }, ...wallets) : null, lookup(page),
    h('p', { class: 'muted' }, 'Pool ', h('code', { class: 'long' }, state.pool!.address)));
}

async function usePool(pool: Pool): Promise<void> {
  state.pool = pool;
  client = pageClient(pool.chain.rpc);
  Object.assign(state, { chain: null, earnings: null, history: null, person: null, names: [] });
  state.checks.clear();
  document.title = `${clean(pool.title, 40)} · AME`;
  render();
  if (state.connection) await adopt(state.connection);
  else if (state.subject) setSubject(state.subject.id, state.subject.label);
}

function look(typed: string): void {
  const id = state.pool && toId(typed, state.pool);
  if (!id) return page.note('Type an address (0x and 40 digits, with its capital letters as given) or a name with its prefix, such as hf:alice.');
  state.notice = '';
  setSubject(id, typed.trim());
  place.main.focus();
}

function setSubject(id: Hex, label: string): void {
  if (state.subject?.id !== id) Object.assign(state, { person: null, chain: null, earnings: null, history: null });
  state.subject = { id, label };
  void refresh();
}

/** Reads files and chain again. What cannot be read keeps its last value, with a word of why. */
async function refresh(): Promise<void> {
  const { subject: who } = state;
  let { pool } = state;
  if (!pool || !who) return render();
  const mine = ++round;
  render();
  try {
    if (state.chain) {
      const fresh = await loadPool(pool.folder); // the operator may have published another settlement
      if (mine !== round) return;
      state.pools[state.pools.indexOf(pool)] = fresh;
      state.pool = pool = fresh;
    }
    const [person, chain] = await Promise.all([loadPerson(pool, who.id), readState(page.reader(), pool, who.id)]);
    if (mine !== round) return;
    Object.assign(state, { person, chain, offline: '', broken: '', earnings: earnings(pool, who.id, person, chain) });
    render();
    const of = pool;
    const found = await readHistory(client, of, who.id).catch(() => readHistory(page.reader(), of, who.id));
    if (mine !== round) return;
    state.history = found;
  } catch (error) {
    if (mine !== round) return;
    if (unreachable(error)) state.offline = explain(error);
    else if (error instanceof BrokenData) state.broken = explain(error);
    else state.offline = explain(error);
  }
  render();
}

async function check(number: bigint): Promise<void> {
  const { pool } = state;
  const epoch = pool?.epochs.find((one) => one.number === number);
  if (!pool || !epoch || (state.checks.get(number) ?? 'asking') !== 'asking') return;
  state.checks.set(number, 'asking');
  const found = await readProposal(client, pool, number).catch(() => null);
  const same = (a: bigint[], b: bigint[]) => a.length === b.length && a.every((value, at) => value === b[at]);
  state.checks.set(number, found
    ? { matches: same(found.table, epoch.table) && same(found.amounts, epoch.amounts), transaction: found.transaction, evidence: found.evidence === epoch.evidence }
    : { matches: false, transaction: null, evidence: false });
  for (const line of document.querySelectorAll(`[data-check="${number}"]`)) line.textContent = checkText(state, number);
}

let forget = (): void => undefined;

async function connectTo(wallet: Wallet, ask: boolean): Promise<void> {
  try {
    const found = await connect(wallet, ask);
    if (!found) return;
    forget();
    forget = listen(wallet.provider);
    localStorage.setItem('wallet', wallet.id);
    state.notice = '';
    await adopt({ wallet, ...found, contract: false });
  } catch (error) {
    page.note(explain(error));
  }
}

async function adopt(connection: Connection): Promise<void> {
  state.connection = connection;
  state.names = [];
  setSubject(accountId(connection.account), 'My address');
  const { pool } = state;
  if (!pool) return;
  try {
    connection.contract = await isContract(client, connection.account);
    const ids = await readNames(client, pool, connection.account);
    if (state.connection !== connection) return;
    state.names = await Promise.all(ids.map(async (id) => ({ id, label: (await loadPerson(pool, id))?.name ?? shortHex(id) })));
    // Somebody paid under a name has nothing under the address: show where the money is.
    const own = await loadPerson(pool, accountId(connection.account));
    const first = state.names[0];
    if (!own && first && state.subject?.id === accountId(connection.account)) setSubject(first.id, first.label);
  } catch {
    // The refresh says what is wrong with the chain; names are shown as soon as it answers.
  }
  render();
  openVoucher();
}

function listen(provider: Provider): () => void {
  const accounts = (list: string[]) => {
    const interrupted = interrupt();
    if (!list[0]) return disconnect();
    const wallet = state.connection!.wallet;
    void connectTo(wallet, false).then(() => {
      if (interrupted) page.note('The wallet has switched to another account, so nothing was sent. These are its earnings.');
    });
  };
  const chain = (id: string) => {
    interrupt();
    if (state.connection) state.connection.chainId = Number(id);
    void refresh();
  };
  const gone = () => disconnect();
  provider.on?.('accountsChanged', accounts as (value: never) => void);
  provider.on?.('chainChanged', chain as (value: never) => void);
  provider.on?.('disconnect', gone);
  return () => {
    provider.removeListener?.('accountsChanged', accounts as (value: never) => void);
    provider.removeListener?.('chainChanged', chain as (value: never) => void);
    provider.removeListener?.('disconnect', gone);
  };
}

function disconnect(): void {
  forget();
  forget = () => undefined;
  interrupt();
  localStorage.removeItem('wallet');
  Object.assign(state, { connection: null, names: [], subject: null, person: null, chain: null, earnings: null, history: null, notice: '' });
  render();
}

let linkOpened = false;

/** #voucher=... opens the binding; #hf:alice or #0x... shows an id. */
function openVoucher(): void {
  const link = /^#voucher=([\w-]+)$/.exec(location.hash)?.[1];
  if (!link || !state.pool || !state.chain && !state.connection || linkOpened) return;
  linkOpened = true;
  try {
    const voucher = readVoucher(page, fromLink(link));
    if (!state.subject) setSubject(namedId(voucher.registrar, voucher.externalIdHash), voucher.name);
    bindWith(page, voucher);
  } catch (error) {
    page.note(explain(error));
  }
}

function openHash(): void {
  const hash = decodeURIComponent(location.hash.slice(1));
  linkOpened = false;
  if (hash.startsWith('voucher=')) {
    if (!state.connection && state.pool) page.note('Connect the wallet that the voucher is for.');
    openVoucher();
  } else if (hash && state.pool) look(hash);
}

async function main(): Promise<void> {
  document.getElementById('app')!.replaceChildren(place.header, place.notices, place.main);
  render();
  discover((wallet) => {
    state.wallets.push(wallet);
    render();
    if (localStorage.getItem('wallet') === wallet.id && !state.connection) void connectTo(wallet, false);
  });
  try {
    state.pools = await loadPools();
    state.loading = false;
    if (state.pools[0]) await usePool(state.pools[0]);
    else state.broken = 'This site has no pool.';
    if (location.hash && state.pool) openHash();
  } catch (error) {
    state.broken = explain(error);
  }
  state.loading = false;
  render();
  addEventListener('hashchange', openHash);
  setInterval(() => {
    if (!document.hidden && state.subject) void refresh();
  }, REFRESH_MS);
}

void main();
