/** Everything that the page asks a chain. */
import { type Abi, type Address, type Client, type Hex, createClient, custom, http } from 'viem';
import { getBlock, getCode, getLogs, readContract } from 'viem/actions';
import { decodeEventLog, encodeAbiParameters, encodeEventTopics, keccak256, pad } from 'viem/utils';
import abis from './abi.json';
import { type Pool, type Update, WrongRegistry } from './data';
import { unreachable } from './errors';
import { shortHex } from './text';
import type { Provider } from './wallet';

export const poolAbi = abis.SettlementPool as unknown as Abi;
export const registryAbi = abis.ContributorRegistry as unknown as Abi;

export const PENDING = 1;
export const ACTIVE = 2;
export const CANCELLED = 3;

export type ChainState = {
  time: number; // of the latest block, in seconds
  number: bigint; // of the latest settlement
  activeAt: number;
  activeNumber: bigint;
  statuses: Map<bigint, number>; // of the last settlements that the site knows
  updatesHash: Hex;
  commitments: { active: Hex; previous: Hex }[];
  claimed: bigint[];
  owed: bigint;
  payout: Address;
  holder: Address;
};
export type Event = { name: string; stage: number; amount: bigint; transaction: Hex; block: bigint; recipient?: Address };

export const pageClient = (rpc: string): Client =>
  createClient({ transport: http(rpc, { batch: true, retryCount: 1, retryDelay: 200, timeout: 10_000 }), cacheTime: 0, pollingInterval: 1000 });

export const walletClient = (provider: Provider): Client =>
  createClient({ transport: custom(provider, { retryCount: 0 }), cacheTime: 0, pollingInterval: 1000 });

async function ask<T>(client: Client, address: Address, abi: Abi, functionName: string, ...args: unknown[]): Promise<T> {
  return (await readContract(client, { address, abi, functionName, args })) as T;
}

export const askPool = <T>(client: Client, pool: Pool, name: string, ...args: unknown[]): Promise<T> =>
  ask<T>(client, pool.address, poolAbi, name, ...args);

/** The site's files name the registry; whom the pool pays is said by the one in its terms, which never change. */
export async function checkRegistry(client: Client, pool: Pool): Promise<void> {
  const { registry } = await askPool<{ registry: Address }>(client, pool, 'terms');
  if (registry.toLowerCase() === pool.registry.toLowerCase()) return;
  throw new WrongRegistry(`They name the registry ${shortHex(pool.registry)}, and the pool’s terms on chain name ${shortHex(registry)}. Do not sign or send anything here, and tell the operator.`);
}

export async function askRegistry<T>(client: Client, pool: Pool, name: string, ...args: unknown[]): Promise<T> {
  await checkRegistry(client, pool);
  return ask<T>(client, pool.registry, registryAbi, name, ...args);
}

export async function isContract(client: Client, address: Address): Promise<boolean> {
  const code = await getCode(client, { address });
  return code !== undefined && code !== '0x' && !code.startsWith('0xef0100'); // EIP-7702: still an EOA that signs
}

/** One round of questions about an id; `id` null asks only about the pool. */
export async function readState(client: Client, pool: Pool, id: Hex): Promise<ChainState> {
  const last = pool.epochs.slice(-2).map((epoch) => epoch.number);
  const stages = pool.stages.map((_, stage) => stage);
  const [block, status, updatesHash, statuses, commitments, claimed, owed, payout, holder] = await Promise.all([
    getBlock(client),
    askPool<[bigint, number, bigint, bigint]>(client, pool, 'status'),
    askPool<Hex>(client, pool, 'updatesHash'),
    Promise.all(last.map((number) => askPool<number>(client, pool, 'statusOf', number))),
    Promise.all(stages.map((stage) => askPool<[Hex, Hex]>(client, pool, 'commitments', stage))),
    Promise.all(stages.map((stage) => askPool<bigint>(client, pool, 'claimed', stage, id))),
    askPool<bigint>(client, pool, 'owed', id),
    askRegistry<Address>(client, pool, 'payoutOf', id),
    askRegistry<Address>(client, pool, 'holderOf', id),
  ]);
  return {
    time: Number(block.timestamp),
    number: status[0],
    activeAt: Number(status[2]),
    activeNumber: status[3],
    statuses: new Map(last.map((number, at) => [number, statuses[at]!])),
    updatesHash,
    commitments: commitments.map(([active, previous]) => ({ active, previous })),
    claimed,
    owed,
    payout,
    holder,
  };
}

const LEDGER = { type: 'tuple', components: [{ name: 'root', type: 'bytes32' }, { name: 'total', type: 'uint128' }, { name: 'depth', type: 'uint8' }] };
const UPDATES = [
  {
    type: 'tuple[]',
    components: [
      { ...LEDGER, name: 'before' },
      { ...LEDGER, name: 'afterwards' },
      { name: 'weightRoot', type: 'bytes32' },
      { name: 'weightTotal', type: 'uint128' },
    ],
  },
];

/** What the pool stores of its latest proposal. */
export const hashUpdates = (updates: Update[]): Hex => keccak256(encodeAbiParameters(UPDATES, [updates]));

type Log = Awaited<ReturnType<typeof getLogs>>[number];

// Nodes that refuse long ranges take one of these, in blocks; so many of them are asked for, newest first.
const WINDOWS = [9000n, 900n];
const MOST_WINDOWS = 12;

/** Logs of one contract with these topics; not `whole` where the node tells only of the last blocks. */
async function logs(client: Client, address: Address, topics: (Hex | Hex[] | null)[], from: bigint): Promise<{ logs: Log[]; whole: boolean }> {
  const hex = (block: bigint): Hex => `0x${block.toString(16)}`;
  const request = async (fromBlock: bigint, toBlock?: bigint): Promise<Log[]> =>
    (await client.request({ method: 'eth_getLogs', params: [{ address, topics, fromBlock: hex(fromBlock), toBlock: toBlock === undefined ? 'latest' : hex(toBlock) }] } as never)) as Log[];
  try {
    return { logs: await request(from), whole: true };
  } catch (error) {
    if (unreachable(error)) throw error;
  }
  const { number: latest } = await getBlock(client);
  for (const span of WINDOWS) {
    const found: Log[] = [];
    try {
      let last = latest!;
      for (let asked = 0; asked < MOST_WINDOWS && last >= from; asked++) {
        const first = last - span + 1n > from ? last - span + 1n : from;
        found.unshift(...(await request(first, last)));
        last = first - 1n;
      }
      return { logs: found, whole: last < from };
    } catch (error) {
      if (unreachable(error)) throw error; // any other refusal: a shorter window may do
    }
  }
  return { logs: [], whole: false };
}

const topic = (abi: Abi, eventName: string): Hex => encodeEventTopics({ abi, eventName })[0] as Hex;

/** Payments of an id, newest first. */
export async function readHistory(client: Client, pool: Pool, id: Hex): Promise<{ events: Event[]; whole: boolean }> {
  const names = ['Owed', 'OwedWithdrawn'].map((name) => topic(poolAbi, name));
  const [claims, others] = await Promise.all([
    logs(client, pool.address, [topic(poolAbi, 'Claimed'), null, id], pool.fromBlock),
    logs(client, pool.address, [names, id], pool.fromBlock),
  ]);
  const events = [...claims.logs, ...others.logs].map((log): Event => {
    const { eventName, args } = decodeEventLog({ abi: poolAbi, data: log.data, topics: log.topics }) as unknown as { eventName: string; args: Record<string, never> };
    return { name: eventName, stage: Number(args.stage ?? 0), amount: BigInt(args.amount!), recipient: args.recipient, transaction: log.transactionHash!, block: BigInt(log.blockNumber!) };
  });
  events.sort((a, b) => (a.block < b.block ? 1 : a.block > b.block ? -1 : 0));
  return { events, whole: claims.whole && others.whole };
}

/** The table and amounts that a settlement has on chain; null where the node does not say. */
export async function readProposal(client: Client, pool: Pool, number: bigint): Promise<{ table: bigint[]; amounts: bigint[]; evidence: Hex; transaction: Hex } | null> {
  const found = await logs(client, pool.address, [topic(poolAbi, 'Proposed'), pad(`0x${number.toString(16)}`)], pool.fromBlock);
  const log = found.logs.at(-1);
  if (!log) return null;
  const { args } = decodeEventLog({ abi: poolAbi, data: log.data, topics: log.topics }) as unknown as { args: { table: bigint[]; amounts: bigint[]; evidence: Hex } };
  return { ...args, transaction: log.transactionHash! };
}

/** Named ids that the account holds at this moment. */
export async function readNames(client: Client, pool: Pool, account: Address): Promise<Hex[]> {
  const [bound, moved] = await Promise.all([
    logs(client, pool.registry, [topic(registryAbi, 'Bound'), null, null, pad(account)], pool.fromBlock),
    logs(client, pool.registry, [topic(registryAbi, 'HolderTransferred'), null, null, pad(account)], pool.fromBlock),
  ]);
  const ids = [...new Set([...bound.logs, ...moved.logs].map((log) => log.topics[1] as Hex))];
  const holders = await Promise.all(ids.map((id) => askRegistry<Address>(client, pool, 'holderOf', id)));
  return ids.filter((_, at) => holders[at]!.toLowerCase() === account.toLowerCase());
}
