/** What an id has earned, as far as the chain confirms it. Pure. */
import type { Hex } from 'viem';
import { ACTIVE, CANCELLED, type ChainState, PENDING, hashUpdates } from './chain';
import type { Epoch, Person, Pool } from './data';
import { type Leaf, commitment, proves } from './proof';

export type Row = {
  stage: number;
  leaf: Leaf | null; // proven under the active or the still valid previous ledger
  earned: bigint;
  claimed: bigint;
  claimable: bigint;
  pending: bigint;
  proof: 'none' | 'proven' | 'false' | 'replaced';
};
export type Earnings = {
  rows: Row[];
  earned: bigint;
  claimed: bigint;
  claimable: bigint;
  pending: bigint;
  secondsLeft: number; // of the pending settlement; 0 if nothing is pending
  newer: boolean; // the chain has an active or pending settlement that the site does not know
  cancelled: Epoch | null; // the site's last settlement, if the chain has cancelled it
  unexplained: bigint; // proven amount minus the sum of what the site's reasons add up to
};

const sum = (rows: Row[], of: (row: Row) => bigint): bigint => rows.reduce((total, row) => total + of(row), 0n);

function row(pool: Pool, id: Hex, person: Person | null, chain: ChainState, stage: number): Row {
  const last = pool.epochs.at(-1);
  const stored = chain.commitments[stage]!;
  const empty: Row = { stage, leaf: null, earned: 0n, claimed: chain.claimed[stage]!, claimable: 0n, pending: 0n, proof: 'none' };
  const known = [...(person?.ledgers ?? [])].sort(([a], [b]) => (a > b ? -1 : 1));
  const leaves = known.flatMap(([number, found]) => found.filter((leaf) => leaf.stage === stage).map((leaf) => ({ number, leaf })));

  const isPending = last !== undefined && chain.statuses.get(last.number) === PENDING;
  const active = leaves.filter(({ number }) => number <= chain.activeNumber && chain.statuses.get(number) !== CANCELLED);
  const proven = [stored.active, stored.previous].map((slot) => active.find(({ leaf }) => proves(id, leaf, slot))).find(Boolean);
  if (proven) {
    empty.leaf = proven.leaf;
    empty.earned = proven.leaf.cumulative;
    empty.claimable = empty.earned > empty.claimed ? empty.earned - empty.claimed : 0n;
    empty.proof = 'proven';
  } else if (active.length > 0) {
    empty.proof = last!.number < chain.activeNumber ? 'replaced' : 'false';
    empty.earned = empty.claimed;
  }

  const next = isPending ? leaves.find(({ number }) => number === last.number)?.leaf : undefined;
  if (next && last && chain.updatesHash === hashUpdates(last.updates)) {
    if (proves(id, next, commitment(last.updates[stage]!.afterwards))) {
      empty.pending = next.cumulative > empty.earned ? next.cumulative - empty.earned : 0n;
    } else empty.proof = 'false';
  } else if (next) empty.proof = 'false';
  return empty;
}

export function earnings(pool: Pool, id: Hex, person: Person | null, chain: ChainState): Earnings {
  const rows = pool.stages.map((_, stage) => row(pool, id, person, chain, stage));
  const last = pool.epochs.at(-1);
  const cancelled = last && chain.statuses.get(last.number) === CANCELLED ? last : null;
  const isPending = last !== undefined && chain.statuses.get(last.number) === PENDING;
  const counted = (number: bigint) => number <= chain.activeNumber && number !== cancelled?.number;
  const explained = (person?.reasons ?? []).reduce((total, reason) => (counted(reason.number) ? total + reason.amount : total), 0n);
  const earned = sum(rows, (item) => item.earned);
  return {
    rows,
    earned,
    claimed: sum(rows, (item) => item.claimed),
    claimable: sum(rows, (item) => item.claimable),
    pending: sum(rows, (item) => item.pending),
    secondsLeft: isPending ? Math.max(0, chain.activeAt - chain.time) : 0,
    newer: chain.number > (last?.number ?? 0n) && (chain.activeNumber > (last?.number ?? 0n) || chain.activeAt > chain.time),
    cancelled,
    unexplained: earned - explained,
  };
}

export function epochStatus(epoch: Epoch, chain: ChainState): 'pending' | 'active' | 'cancelled' | 'unknown' {
  const known = chain.statuses.get(epoch.number);
  if (known === PENDING) return 'pending';
  if (known === CANCELLED) return 'cancelled';
  if (known === ACTIVE || (known === undefined && epoch.number < chain.activeNumber)) return 'active';
  return 'unknown';
}
