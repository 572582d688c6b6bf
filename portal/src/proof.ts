/** Merkle-sum proofs and stage amounts: the third twin of contracts/libraries and ame/execution/merkle_sum.py. */
import type { Hex } from 'viem';
import { bytesToHex, concat, keccak256, numberToBytes, numberToHex, size, sliceHex } from 'viem/utils';

export type Ledger = { root: Hex; total: bigint; depth: number };
export type Leaf = { stage: number; index: number; cumulative: bigint; proof: Hex };

const LIMIT = 1n << 128n;
const uint128 = (amount: bigint): Hex => numberToHex(amount, { size: 16 });

/** The root, total and depth that a leaf and its siblings lead to; null where they lead nowhere. */
export function climb(id: Hex, leaf: Leaf): Ledger | null {
  const depth = size(leaf.proof) / 48;
  if (!Number.isInteger(depth) || depth < 1 || depth > 32 || leaf.index >= 2 ** depth || leaf.cumulative >= LIMIT) return null;
  let hash = keccak256(concat([id, uint128(leaf.cumulative)]));
  let sum = leaf.cumulative;
  for (let height = 0; height < depth; height++) {
    const sibling = sliceHex(leaf.proof, 48 * height, 48 * height + 48);
    const own = concat([hash, uint128(sum)]);
    hash = keccak256(Math.floor(leaf.index / 2 ** height) % 2 === 1 ? concat([sibling, own]) : concat([own, sibling]));
    sum += BigInt(sliceHex(sibling, 32));
    if (sum >= LIMIT) return null;
  }
  return { root: hash, total: sum, depth };
}

const BYTES = 48; // of a leaf or a node: id or hash, and an amount of 128 bits
type Node = Uint8Array; // hash ‖ uint128 sum

function parent(left: Node, right: Node): Node {
  const sum = BigInt(bytesToHex(left.subarray(32))) + BigInt(bytesToHex(right.subarray(32)));
  // A sum that is too large proves nothing, whatever it is cut to: `climb` refuses it.
  return concat([keccak256(concat([left, right]), 'bytes'), numberToBytes(sum % LIMIT, { size: 16 })]);
}

/**
 * The leaf at an index and its proof, from a file of neighbouring leaves: the siblings above them, from the bottom up, and
 * then at most 2^bits leaves (id ‖ cumulative). null if another id stands there, undefined for a file of another form.
 */
export function leafAt(file: Uint8Array, stage: number, index: number, depth: number, bits: number, id: Hex): Leaf | null | undefined {
  const above = Math.max(0, depth - bits);
  const own = index % 2 ** bits;
  const part = (at: number): Uint8Array => file.subarray(BYTES * at, BYTES * (at + 1));
  const count = file.length / BYTES - above;
  if (!Number.isInteger(count) || count <= own || count > 2 ** bits) return undefined;
  if (bytesToHex(part(above + own).subarray(0, 32)) !== id) return null;

  let row: Node[] = Array.from({ length: count }, (_, at) => {
    const leaf = part(above + at);
    return concat([keccak256(leaf, 'bytes'), leaf.subarray(32)]);
  });
  let empty: Node = new Uint8Array(BYTES);
  const siblings: Uint8Array[] = [];
  for (let height = 0; height < depth - above; height++) {
    const at = (own >> height) ^ 1;
    siblings.push(row[at] ?? empty);
    const last: Node = empty;
    row = Array.from({ length: Math.ceil(row.length / 2) }, (_, pair) => parent(row[2 * pair]!, row[2 * pair + 1] ?? last));
    empty = parent(empty, empty);
  }
  const proof = bytesToHex(concat([...siblings, ...Array.from({ length: above }, (_, at) => part(at))]));
  return { stage, index, cumulative: BigInt(bytesToHex(part(above + own).subarray(32))), proof };
}

/** The one word that a pool stores of a ledger. */
export function commitment(ledger: Ledger): Hex {
  return keccak256(concat([ledger.root, uint128(ledger.total), numberToHex(ledger.depth, { size: 1 })]));
}

/** Whether the leaf stands in the ledger with this commitment. */
export function proves(id: Hex, leaf: Leaf, stored: Hex): boolean {
  const ledger = climb(id, leaf);
  return ledger !== null && commitment(ledger) === stored;
}

const factorial = (n: number): bigint => (n < 2 ? 1n : BigInt(n) * factorial(n - 1));

function members(coalition: number): number {
  let found = 0;
  for (let rest = coalition; rest; rest >>= 1) found += rest & 1;
  return found;
}

/** The revenue split over the positive Shapley values of the stages, as the pool computes it. */
export function stageAmounts(table: bigint[]): bigint[] {
  const players = Math.log2(table.length);
  const values = Array.from({ length: players }, (_, player) => {
    let value = 0n;
    for (let coalition = 0; coalition < table.length; coalition++) {
      if ((coalition >> player) & 1) continue;
      const weight = factorial(members(coalition)) * factorial(players - members(coalition) - 1);
      value += weight * (table[coalition | (1 << player)]! - table[coalition]!);
    }
    return value > 0n ? value : 0n;
  });
  const total = values.reduce((sum, value) => sum + value, 0n);
  const revenue = table[table.length - 1]!;
  if (total === 0n) return values;
  let prefix = 0n;
  return values.map((value) => {
    const start = (revenue * prefix) / total;
    prefix += value;
    return (revenue * prefix) / total - start;
  });
}
