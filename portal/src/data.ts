/**
 * The files that `ame portal export` writes. They come from a server that this page does not trust:
 * every field is checked for its form here, and every amount against the chain later.
 */
import type { Address, Hex } from 'viem';
import { encodeAbiParameters, getAddress, keccak256, stringToBytes } from 'viem/utils';
import { type Leaf, type Ledger, leafAt } from './proof';

export type Token = { address: Address; symbol: string; decimals: number };
export type Update = { before: Ledger; afterwards: Ledger; weightRoot: Hex; weightTotal: bigint };
export type Sales = { pipeline: string; count: number; amount: bigint };
export type Epoch = {
  number: bigint;
  evidence: Hex;
  from: string;
  to: string;
  sales: Sales[];
  table: bigint[];
  amounts: bigint[];
  updates: Update[];
};
export type Pool = {
  folder: string;
  title: string;
  chain: { id: number; name: string; rpc: string; explorer: string; currency: string };
  address: Address;
  registry: Address;
  fromBlock: bigint;
  token: Token;
  stages: string[];
  registrars: Map<string, Address>;
  idDigits: number;
  leafBits: number;
  lineBits: number;
  ledgers: { number: bigint; leaves: number[] }[]; // those with proofs, and how many leaves each stage has
  epochs: Epoch[];
};
export type Reason = { number: bigint; stage: number; weight: bigint; amount: bigint; reasons: string[] };
export type Person = { name: string; ledgers: Map<bigint, Leaf[]>; reasons: Reason[] };

export class BrokenData extends Error {}
/** The files name another registry than the pool's terms do: its message is the whole sentence. */
export class WrongRegistry extends BrokenData {}

const FORMAT = 'ame-portal/2';
// Only the last digits of an id name its entry; the leaf names it in full.
const KEY_DIGITS = 16;

type Json = Record<string, unknown>;

function fail(what: string): never {
  throw new BrokenData(what);
}
function object(value: unknown, what: string): Json {
  return value !== null && typeof value === 'object' && !Array.isArray(value) ? (value as Json) : fail(what);
}
function list<T>(value: unknown, what: string, read: (item: unknown, what: string) => T): T[] {
  return Array.isArray(value) ? value.map((item, at) => read(item, `${what}[${at}]`)) : fail(what);
}
function text(value: unknown, what: string): string {
  return typeof value === 'string' ? value : fail(what);
}
function whole(value: unknown, what: string, most = 2 ** 32): number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= most ? value : fail(what);
}
function integer(value: unknown, what: string): bigint {
  return typeof value === 'string' && /^-?\d{1,39}$/.test(value) ? BigInt(value) : fail(what);
}
function amount(value: unknown, what: string): bigint {
  const found = integer(value, what);
  return found >= 0n && found < 1n << 128n ? found : fail(what);
}
function hex(value: unknown, what: string, bytes?: number): Hex {
  const form = bytes === undefined ? /^0x([0-9a-f]{2})*$/ : new RegExp(`^0x[0-9a-f]{${2 * bytes}}$`);
  return typeof value === 'string' && form.test(value) ? (value as Hex) : fail(what);
}
function address(value: unknown, what: string): Address {
  try {
    return getAddress(text(value, what));
  } catch {
    return fail(what);
  }
}
function webAddress(value: unknown, what: string): string {
  const found = text(value, what);
  return found === '' || /^https?:\/\//.test(found) ? found : fail(what);
}

function ledger(value: unknown, what: string): Ledger {
  const from = object(value, what);
  return { root: hex(from.root, `${what}.root`, 32), total: amount(from.total, `${what}.total`), depth: whole(from.depth, `${what}.depth`, 32) };
}

function epoch(value: unknown, what: string, stages: number): Epoch {
  const from = object(value, what);
  const found: Epoch = {
    number: amount(from.number, `${what}.number`),
    evidence: hex(from.evidence, `${what}.evidence`, 32),
    from: text(from.from, `${what}.from`),
    to: text(from.to, `${what}.to`),
    sales: list(from.sales, `${what}.sales`, (item, where) => {
      const sale = object(item, where);
      return { pipeline: text(sale.pipeline, where), count: whole(sale.count, where, 2 ** 53), amount: amount(sale.amount, where) };
    }),
    table: list(from.table, `${what}.table`, integer),
    amounts: list(from.amounts, `${what}.amounts`, amount),
    updates: list(from.updates, `${what}.updates`, (item, where) => {
      const update = object(item, where);
      return {
        before: ledger(update.before, `${where}.before`),
        afterwards: ledger(update.afterwards, `${where}.afterwards`),
        weightRoot: hex(update.weight_root, `${where}.weight_root`, 32),
        weightTotal: amount(update.weight_total, `${where}.weight_total`),
      };
    }),
  };
  if (found.table.length !== 1 << stages || found.amounts.length !== stages || found.updates.length !== stages) fail(what);
  return found;
}

function pool(value: unknown, folder: string): Pool {
  const from = object(value, 'pool.json');
  if (from.format !== FORMAT) fail('pool.json: format');
  const chain = object(from.chain, 'chain');
  const token = object(from.token, 'token');
  const stages = list(from.stages, 'stages', text);
  if (stages.length < 2 || stages.length > 5) fail('stages');
  return {
    folder,
    title: text(from.title, 'title'),
    chain: {
      id: whole(chain.id, 'chain.id', 2 ** 53),
      name: text(chain.name, 'chain.name'),
      rpc: webAddress(chain.rpc, 'chain.rpc'),
      explorer: webAddress(chain.explorer, 'chain.explorer').replace(/\/$/, ''),
      currency: text(chain.currency, 'chain.currency'),
    },
    address: address(from.pool, 'pool'),
    registry: address(from.registry, 'registry'),
    fromBlock: amount(from.from_block, 'from_block'),
    token: { address: address(token.address, 'token.address'), symbol: text(token.symbol, 'token.symbol'), decimals: whole(token.decimals, 'token.decimals', 77) },
    stages,
    registrars: new Map(Object.entries(object(from.registrars, 'registrars')).map(([name, who]) => [name, address(who, 'registrars')])),
    idDigits: whole(from.id_digits, 'id_digits', 8),
    leafBits: whole(from.leaf_bits, 'leaf_bits', 16),
    lineBits: whole(from.line_bits, 'line_bits', 16),
    ledgers: list(from.ledgers, 'ledgers', (item, where) => {
      const found = object(item, where);
      const leaves = list(found.leaves, where, (count, what) => whole(count, what));
      return leaves.length === stages.length ? { number: amount(found.number, where), leaves } : fail(where);
    }),
    epochs: list(from.epochs, 'epochs', (item, where) => epoch(item, where, stages.length)),
  };
}

/** A file of this site, or null where it has none. */
async function file(path: string): Promise<Response | null> {
  const answer = await fetch(path);
  if (answer.status === 404) return null;
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer;
}

async function json(path: string): Promise<unknown> {
  const answer = await file(path);
  return answer && answer.json().catch(() => fail(`${path} is not JSON`));
}

/** Folders of the pools of this site, relative to the page. */
export async function loadPools(): Promise<Pool[]> {
  const index = object(await json('pools.json'), 'pools.json');
  if (index.format !== FORMAT) fail('pools.json: format');
  const folders = list(index.pools, 'pools.json', (item, what) => {
    const folder = text(item, what);
    return /^pools\/[0-9]+-0x[0-9a-f]{40}$/.test(folder) ? folder : fail(what);
  });
  return Promise.all(folders.map(loadPool));
}

export async function loadPool(folder: string): Promise<Pool> {
  return pool(await json(`${folder}/pool.json`), folder);
}

type Place = { name: string; indices: (number | null)[] }; // of a leaf in each stage's ledger

/** Places of all ids that end as this one does: mostly one, or none. */
async function places(of: Pool, id: Hex): Promise<Place[]> {
  const answer = await json(`${of.folder}/ids/${id.slice(id.length - of.idDigits) || 'all'}.json`);
  const entry = answer === null ? undefined : object(answer, 'ids')[id.slice(-KEY_DIGITS)];
  if (entry === undefined) return [];
  const flat = list(entry, 'ids', (item) => item);
  const width = of.stages.length + 1;
  if (flat.length % width || flat.length > 16 * width) fail('ids');
  return Array.from({ length: flat.length / width }, (_, at) => {
    const [name, ...indices] = flat.slice(at * width, (at + 1) * width);
    return { name: text(name, 'ids'), indices: indices.map((index) => (index === null ? null : whole(index, 'ids'))) };
  });
}

/** One leaf and its proof; null where another id stands. */
async function leaf(of: Pool, number: bigint, stage: number, index: number, id: Hex): Promise<Leaf | null> {
  const last = of.epochs.find((one) => one.number === number) ?? fail('ledgers');
  const answer = await file(`${of.folder}/leaves/${number}/${stage}/${Math.floor(index / 2 ** of.leafBits)}`);
  if (!answer) return fail(`leaves of settlement ${number}`);
  const found = leafAt(new Uint8Array(await answer.arrayBuffer()), stage, index, last.updates[stage]!.afterwards.depth, of.leafBits, id);
  return found === undefined ? fail(`leaves of settlement ${number}`) : found;
}

async function lines(of: Pool, stage: number, index: number): Promise<Reason[]> {
  const from = object(await json(`${of.folder}/lines/${stage}/${Math.floor(index / 2 ** of.lineBits)}.json`), 'lines');
  const texts = list(from.texts, 'lines', text);
  const found: Reason[] = [];
  for (const item of list(from.lines, 'lines', (one, what) => list(one, what, (part) => part))) {
    const [at, number, weight, part, ...words] = item;
    if (at !== index) continue;
    const reasons = words.map((word) => texts[whole(word, 'lines', texts.length - 1)]!);
    found.push({ number: BigInt(whole(number, 'lines', 2 ** 53)), stage, weight: amount(weight, 'lines'), amount: amount(part, 'lines'), reasons });
  }
  return found;
}

/** What the site knows of one id: null if nothing. A few small files, whatever the number of contributors. */
export async function loadPerson(of: Pool, id: Hex): Promise<Person | null> {
  for (const { name, indices } of await places(of, id)) {
    const stages = indices.flatMap((index, stage) => (index === null ? [] : [{ index, stage }]));
    const reasons = Promise.all(stages.map(({ index, stage }) => lines(of, stage, index)));
    reasons.catch(() => undefined); // told below, if this entry is the one
    const ledgers = await Promise.all(of.ledgers.map(async ({ number, leaves }) => {
      const held = stages.filter(({ index, stage }) => index < leaves[stage]!);
      return [number, await Promise.all(held.map(({ index, stage }) => leaf(of, number, stage, index, id)))] as const;
    }));
    if (ledgers.some(([, found]) => found.includes(null))) continue;
    return { name, ledgers: new Map(ledgers as [bigint, Leaf[]][]), reasons: (await reasons).flat() };
  }
  return null;
}

export const accountId = (account: Address): Hex => `0x${account.slice(2).toLowerCase().padStart(64, '0')}`;

export const isAccountId = (id: Hex): boolean => id.startsWith(`0x${'0'.repeat(24)}`);

/** The address that an account id is; null for a named id. */
export const accountOf = (id: Hex): Address | null => (isAccountId(id) ? getAddress(`0x${id.slice(26)}`) : null);

/** What the registries know a name by. */
export const nameHash = (name: string): Hex => keccak256(stringToBytes(name));

export function namedId(registrar: Address, externalIdHash: Hex): Hex {
  return keccak256(encodeAbiParameters([{ type: 'address' }, { type: 'bytes32' }], [registrar, externalIdHash]));
}

/** The id that somebody typed: an address, an id, or a name such as hf:alice whose registrar the pool knows. */
export function toId(typed: string, of: Pool): Hex | null {
  const given = typed.trim();
  if (/^0x[0-9a-fA-F]{64}$/.test(given)) return given.toLowerCase() as Hex;
  if (/^0x[0-9a-fA-F]{40}$/.test(given)) {
    try {
      return accountId(getAddress(given));
    } catch {
      return null;
    }
  }
  const registrar = of.registrars.get(given.split(':')[0]!);
  return registrar && given.includes(':') ? namedId(registrar, nameHash(given)) : null;
}
