/**
 * The files that `ame portal export` writes. They come from a server that this page does not trust:
 * every field is checked for its form here, and every amount against the chain later.
 */
import type { Address, Hex } from 'viem';
import { encodeAbiParameters, getAddress, keccak256, stringToBytes } from 'viem/utils';
import type { Leaf, Ledger } from './proof';

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
  shardDigits: number;
  epochs: Epoch[];
};
export type Reason = { number: bigint; stage: number; weight: bigint; amount: bigint; reasons: string[] };
export type Person = { name: string; ledgers: Map<bigint, Leaf[]>; reasons: Reason[] };

export class BrokenData extends Error {}

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
  if (from.format !== 'ame-portal/1') fail('pool.json: format');
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
    shardDigits: whole(from.shard_digits, 'shard_digits', 8),
    epochs: list(from.epochs, 'epochs', (item, where) => epoch(item, where, stages.length)),
  };
}

function person(value: unknown, stages: number): Person {
  const from = object(value, 'entry');
  const stageOf = (item: unknown, what: string) => whole(item, what, stages - 1);
  return {
    name: text(from.name, 'name'),
    ledgers: new Map(
      Object.entries(object(from.ledgers, 'ledgers')).map(([number, leaves]) => [
        amount(number, 'ledgers'),
        list(leaves, 'ledgers', (item, what) => {
          const leaf = object(item, what);
          return { stage: stageOf(leaf.stage, what), index: whole(leaf.index, what), cumulative: amount(leaf.cumulative, what), proof: hex(leaf.proof, what) };
        }),
      ]),
    ),
    reasons: list(from.epochs, 'epochs', (item, what) => {
      const reason = object(item, what);
      return {
        number: amount(reason.number, what),
        stage: stageOf(reason.stage, what),
        weight: amount(reason.weight, what),
        amount: amount(reason.amount, what),
        reasons: list(reason.reasons, what, text),
      };
    }),
  };
}

async function json(path: string): Promise<unknown> {
  const answer = await fetch(path);
  if (answer.status === 404) return null;
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  try {
    return await answer.json();
  } catch {
    return fail(`${path} is not JSON`);
  }
}

/** Folders of the pools of this site, relative to the page. */
export async function loadPools(): Promise<Pool[]> {
  const index = object(await json('pools.json'), 'pools.json');
  if (index.format !== 'ame-portal/1') fail('pools.json: format');
  const folders = list(index.pools, 'pools.json', (item, what) => {
    const folder = text(item, what);
    return /^pools\/[0-9]+-0x[0-9a-f]{40}$/.test(folder) ? folder : fail(what);
  });
  return Promise.all(folders.map(async (folder) => pool(await json(`${folder}/pool.json`), folder)));
}

/** What the site knows of one id: null if nothing. One small file, found by the id's last hex digits. */
export async function loadPerson(of: Pool, id: Hex): Promise<Person | null> {
  const shard = id.slice(id.length - of.shardDigits);
  const answer = await json(`${of.folder}/shards/${shard || 'all'}.json`);
  if (answer === null) return null;
  const found = object(answer, 'shard')[id];
  return found === undefined ? null : person(found, of.stages.length);
}

export const accountId = (account: Address): Hex => `0x${account.slice(2).toLowerCase().padStart(64, '0')}`;

export const isAccountId = (id: Hex): boolean => id.startsWith(`0x${'0'.repeat(24)}`);

/** The address that an account id is; null for a named id. */
export const accountOf = (id: Hex): Address | null => (isAccountId(id) ? getAddress(`0x${id.slice(26)}`) : null);

export function namedId(registrar: Address, name: string): Hex {
  return keccak256(encodeAbiParameters([{ type: 'address' }, { type: 'bytes32' }], [registrar, keccak256(stringToBytes(name))]));
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
  return registrar && given.includes(':') ? namedId(registrar, given) : null;
}
