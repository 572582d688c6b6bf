/** What the page knows at this moment. Only main.ts changes it. */
import type { Client, Hex } from 'viem';
import type { ChainState, Event } from './chain';
import type { Person, Pool } from './data';
import type { Earnings } from './earnings';
import type { Connection, Wallet } from './wallet';

export type State = {
  pools: Pool[];
  pool: Pool | null;
  wallets: Wallet[];
  connection: Connection | null;
  subject: { id: Hex; label: string } | null; // whose earnings are shown
  names: { id: Hex; label: string }[]; // named ids that the connected account holds
  person: Person | null;
  chain: ChainState | null;
  earnings: Earnings | null;
  history: { events: Event[]; whole: boolean } | null;
  checks: Map<bigint, Check>; // of a settlement's table against its event
  loading: boolean;
  offline: string; // why the chain cannot be read; empty while it can
  broken: string; // why the files cannot be read
  notice: string; // what has just happened
};
export type Check = { matches: boolean; transaction: Hex | null; evidence: boolean } | 'asking';

/** What views may ask for. */
export type Page = {
  state: State;
  reader(): Client;
  node(): Client; // the site's own
  render(): void;
  refresh(): Promise<void>;
  look(typed: string): void;
  subject(id: Hex, label: string): void;
  connect(wallet: Wallet): void;
  disconnect(): void;
  pickPool(pool: Pool): void;
  note(text: string): void;
  check(number: bigint): void;
};

export const wrongChain = (state: State): boolean =>
  state.connection !== null && state.pool !== null && state.connection.chainId !== state.pool.chain.id;

export const isHolder = (state: State): boolean =>
  state.connection !== null && state.chain !== null && state.chain.holder.toLowerCase() === state.connection.account.toLowerCase();

/** Whether files and chain were read the last time: nothing is offered on what may be out of date. */
export const isReadable = (state: State): boolean => !state.offline && !state.broken;

/** Whether money can be paid: a name without a wallet has no payout address yet. */
export const isBound = (state: State): boolean => state.chain !== null && BigInt(state.chain.payout) !== 0n;
