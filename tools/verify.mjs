#!/usr/bin/env node
// A second opinion on a settlement, in another language and sharing no code with the package:
//   node tools/verify.mjs [--older DIR]... BUNDLE RPC_URL
// Exit 0: every check holds; 1: something is false; 2: it cannot be told. One line of JSON per check.
import { createHash } from "node:crypto";
import { existsSync, lstatSync, readFileSync } from "node:fs";
import { join } from "node:path";
const viem = await import("viem").catch(() => { console.error("viem is not installed: run `make setup` first"); process.exit(2); });
const { concat, createPublicClient, http, keccak256, numberToHex, parseAbi, toHex } = viem;

const ABI = parseAbi([
  "struct Ledger { bytes32 root; uint128 total; uint8 depth; }", "struct Update { Ledger before; Ledger afterwards; bytes32 weightRoot; uint128 weightTotal; }",
  "struct Terms { address token; uint8 stageCount; address proposer; address arbiter; address registry; uint32 challengeSeconds; uint32 abandonSeconds; uint96 bondWei; uint96 demandBondWei; bytes32 termsHash; }",
  "event Proposed(uint64 indexed number, int128[] table, uint128[] amounts, Update[] stages, bytes32 evidence, uint64 activeAt)",
  "event Cancelled(uint64 indexed number, uint8 reason, address by, uint256 bondToChallenger)", "event Deposited(address indexed depositor, bytes32 indexed depositReference, uint256 amount)", "event Refunded(address indexed depositor, uint256 amount)",
  "event Claimed(uint8 indexed stage, bytes32 indexed contributorId, address indexed recipient, uint128 amount, uint128 cumulative)",
  "function terms() view returns (Terms)",
  "function status() view returns (uint64 number, uint8 current, uint64 activeAt, uint64 activeNumber)",
  "function unallocated() view returns (uint256)", "function pendingRevenue() view returns (uint256)", "function unclaimed() view returns (uint256)",
  "function commitments(uint8) view returns (bytes32 active, bytes32 previous)",
]);
const PENDING = 1, ACTIVE = 2, CANCELLED = 3;
const BLOCKS = 2000n, TRIES = 64, ZERO = "0x" + "00".repeat(32);

class False extends Error {} class Unknown extends Error {}
const camel = (name) => name.replace(/_(.)/g, (_, letter) => letter.toUpperCase());
const show = (value) => JSON.stringify(value, (_, v) => (typeof v === "bigint" ? `${v}` : v));
const refuse = (text) => { throw new False(text); };
const same = (expected, found, where) => show(expected) === show(found) || refuse(`${where}: expected ${show(expected)}, found ${show(found)}`);

// Bundles: strict JSON in its one canonical form, no floats.
function canonical(value) {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  return `{${Object.keys(value).sort().map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`).join(",")}}`;
}
function parse(bytes, where) {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes), value = JSON.parse(text);
    if (value !== null && typeof value === "object" && canonical(value) === text) return value;
  } catch { /* refused below */ }
  return refuse(`${where}: not canonical JSON`);
}
const integer = (text, where) => typeof text === "string" && /^(0|-?[1-9][0-9]{0,77})$/.test(text) ? BigInt(text) : refuse(`${where}: no decimal text`);
const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");
class Bundle {
  constructor(folder) {
    this.folder = folder;
    this.bytes = this.part("manifest.json");
    this.evidence = sha256(this.bytes);
    this.manifest = parse(this.bytes, "manifest.json");
    same(["chain_id", "created_by", "format", "number", "parts", "pool", "previous"], Object.keys(this.manifest).sort(), "manifest.json");
    same("ame-bundle/1", this.manifest.format, "manifest.json: format");
  }
  part(name) {
    const path = join(this.folder, name);
    if (!existsSync(path)) throw new Unknown(`${path} is missing`);
    return lstatSync(path).isFile() ? readFileSync(path) : refuse(`${name} is no plain file`);
  }
  lines(name) {
    const text = this.part(name), rows = [];
    if (text.length && text.at(-1) !== 10) refuse(`${name}: no line break at the end`);
    for (let at = 0, end; at < text.length; at = end + 1) {
      end = text.indexOf(10, at);
      rows.push(parse(text.subarray(at, end), `${name}:${rows.length + 1}`));
    }
    return rows;
  }
  get head() { return (this._head ??= this.readHead()); }
  readHead() {
    const head = parse(this.part("settlement.json"), "settlement.json");
    same(["amounts", "format", "rights_at", "stages", "table", "terms", "token", "updates"], Object.keys(head).sort(), "settlement.json");
    const ledger = (one) => ({ root: one.root, total: integer(one.total, "total"), depth: one.depth });
    const list = (values, name) => values.map((value) => integer(value, `settlement.json: ${name}`));
    if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z$/.test(head.rights_at)) throw new False("settlement.json: rights_at");
    return { ...head, table: list(head.table, "table"), amounts: list(head.amounts, "amounts"),
      updates: head.updates.map((u) => ({ before: ledger(u.before), afterwards: ledger(u.afterwards), weightRoot: u.weight_root, weightTotal: integer(u.weight_total, "weight_total") })) };
  }
  ledger(stage) {
    const name = `ledger/${stage}.bin`, data = this.part(name);
    if (data.length % 64) refuse(`${name}: ${data.length} bytes are no leaves`);
    const number = (at) => BigInt(toHex(data.subarray(at, at + 16)));
    return Array.from({ length: data.length / 64 }, (_, i) => ({ id: toHex(data.subarray(64 * i, 64 * i + 32)), cumulative: number(64 * i + 32), weight: number(64 * i + 48) }));
  }
}
// Arithmetic in BigInt.
const sum = (values) => values.reduce((total, value) => total + value, 0n);
const floorDiv = (a, b) => (a >= 0n ? a / b : -((-a + b - 1n) / b));
const bits = (mask) => mask.toString(2).replaceAll("0", "").length;
const factorial = (n) => (n < 2 ? 1n : BigInt(n) * factorial(n - 1));
function split(amount, weights) {
  const total = sum(weights) || 1n;
  let reached = 0n;
  return weights.map((weight) => (amount * (reached += weight)) / total - (amount * (reached - weight)) / total);
}
function shapley(table) { // times n!
  const players = Math.log2(table.length);
  return Array.from({ length: players }, (_, i) => sum(table.map((value, mask) => (mask >> i) & 1
    ? value * factorial(bits(mask) - 1) * factorial(players - bits(mask))
    : -value * factorial(bits(mask)) * factorial(players - bits(mask) - 1))));
}
const stageAmounts = (table) => split(table.at(-1), shapley(table).map((v) => (v > 0n ? v : 0n)));
const node = (left, right) => [keccak256(concat([left[0], numberToHex(left[1], { size: 16 }), right[0], numberToHex(right[1], { size: 16 })])), left[1] + right[1]];
const leaf = (id, cumulative) => [keccak256(concat([id, numberToHex(cumulative, { size: 16 })])), cumulative];
function top(leaves, depth) {
  if (leaves.length > 2 ** depth) refuse(`${leaves.length} leaves at depth ${depth}`);
  let level = leaves, empty = [ZERO, 0n];
  for (let height = 0; height < depth; height++, empty = node(empty, empty))
    level = Array.from({ length: Math.ceil(level.length / 2) }, (_, i) => node(level[2 * i], level[2 * i + 1] ?? empty));
  return level[0] ?? empty;
}
const INITIAL = { root: keccak256("0x" + "00".repeat(96)), total: 0n, depth: 1 };
const commitment = (l) => keccak256(concat([l.root, numberToHex(l.total, { size: 16 }), numberToHex(l.depth, { size: 1 })]));
const ratio = (text) => { const [, n, d] = /^(-?\d+)(?:\/(\d+))?$/.exec(text) ?? []; if (n === undefined) refuse(`no fraction: ${text}`); return [BigInt(n), BigInt(d ?? 1)]; };
async function facts(url, pool) {
  try {
    const client = createPublicClient({ transport: http(url, { retryCount: 2 }) });
    const chainId = await client.getChainId().catch(() => { throw new Unknown(`no node answers at ${url}`); }), block = await client.getBlockNumber({ cacheTime: 0 });
    if (!await client.getCode({ address: pool, blockNumber: block })) throw new Unknown(`no contract at ${pool} on this chain`);
    const events = [];
    for (let from = 0n; from <= block; from += BLOCKS) {
      const to = from + BLOCKS - 1n < block ? from + BLOCKS - 1n : block;
      events.push(...await client.getContractEvents({ address: pool, abi: ABI, fromBlock: from, toBlock: to, strict: true }));
    }
    const view = (functionName, args = []) => client.readContract({ address: pool, abi: ABI, functionName, args, blockNumber: block });
    const terms = await view("terms"), commitments = [];
    const [number, current, , activeNumber] = await view("status");
    const named = (name) => events.filter((event) => event.eventName === name).map((event) => event.args);
    const cancelled = new Set(named("Cancelled").map((args) => args.number));
    const status = (n) => (cancelled.has(n) ? CANCELLED : n === number ? current : n < number ? ACTIVE : 0);
    for (let stage = 0; stage < terms.stageCount; stage++) commitments.push((await view("commitments", [stage]))[0]);
    return { chainId, terms, named, status, number, activeNumber, commitments, unallocated: await view("unallocated"),
      pending: await view("pendingRevenue"), unclaimed: await view("unclaimed"),
      order: events.map((event) => Number(event.blockNumber) * 1e6 + event.logIndex) };
  } catch (error) {
    throw error instanceof Unknown ? error : new Unknown(`${url}: ${error.shortMessage ?? error.message}`);
  }
}
const CHECKS = {
  manifest(b) {
    const expected = ["allocation.jsonl", "coalitions.json", "rights.yaml", "settlement.json", "shares.json", "usage.jsonl"];
    for (const [name, entry] of Object.entries(b.manifest.parts)) {
      if (!expected.includes(name) && !/^ledger\/[\w-]{1,64}\.bin$/.test(name)) refuse(`no part of a bundle: ${name}`);
      const data = b.part(name);
      same({ bytes: data.length, sha256: sha256(data) }, { bytes: entry.bytes, sha256: entry.sha256 }, name);
    }
    same([...expected, ...b.head.stages.map((stage) => `ledger/${stage}.bin`)].sort(), Object.keys(b.manifest.parts).sort(), "parts");
  },
  formats(b) {
    same("ame-settlement/1", b.head.format, "settlement.json: format");
    const shares = parse(b.part("shares.json"), "shares.json");
    same(["asset_weights", "format", "stages", "table"], Object.keys(shares).sort(), "shares.json");
    for (const row of b.lines("allocation.jsonl")) if (!b.head.stages.includes(row.stage)) refuse(`no stage: ${row.stage}`);
    for (const one of Object.values(parse(b.part("coalitions.json"), "coalitions.json").pipelines)) one.inner.flat().forEach(lowest);
  },
  identity(b, c) {
    same(`${c.chainId}`, b.manifest.chain_id, "chain_id"); same(c.evidence, b.evidence, "evidence");
    const before = c.named("Proposed").filter((p) => p.number < c.proposal.number && c.status(p.number) === ACTIVE).at(-1);
    same(before ? before.evidence.slice(2) : null, b.manifest.previous, "previous");
    if (![PENDING, ACTIVE].includes(c.status(c.proposal.number))) throw new False("the settlement was cancelled");
  },
  terms(b, c) {
    for (const name of Object.keys(b.head.terms)) same(`${c.terms[camel(name)]}`, `${b.head.terms[name]}`, `terms.${name}`);
    same(10, Object.keys(b.head.terms).length, "terms");
    same(c.terms.token, b.head.token.address, "token");
  },
  proposal(b, c) {
    same(c.proposal.table, b.head.table, "table"); same(c.proposal.amounts, b.head.amounts, "amounts");
    same(c.proposal.stages, b.head.updates, "updates");
  },
  table(b) {
    const { pipelines } = parse(b.part("coalitions.json"), "coalitions.json"), sold = new Map(), seen = new Set();
    for (const sale of b.lines("usage.jsonl")) {
      if (seen.has(sale.id) || !(sale.pipeline in pipelines)) refuse(`usage.jsonl: ${sale.id} of ${sale.pipeline}`);
      seen.add(sale.id); sold.set(sale.pipeline, (sold.get(sale.pipeline) ?? 0n) + integer(sale.amount, "usage.jsonl: amount"));
    }
    same(b.head.table.at(-1), sum([...sold.values()]), "sum of the sales");
    const exact = b.head.table.map(() => [0n, 1n]), players = b.head.stages.length;
    for (const [name, amount] of sold) {
      if (amount === 0n) continue;
      const values = stageValues(pipelines[name]), gain = values.at(-1) - values[0];
      const [an, ad] = ratio(pipelines[name].policies.find((policy) => policy.policy === "egalitarian").alpha);
      values.forEach((value, mask) => { // amount x ((1 - alpha) u(S) + alpha |S| / n)
        const n = amount * ((ad - an) * (value - values[0]) * BigInt(players) + an * BigInt(bits(mask)) * gain), d = ad * gain * BigInt(players);
        exact[mask] = [exact[mask][0] * d + n * exact[mask][1], exact[mask][1] * d];
      });
    }
    const shares = parse(b.part("shares.json"), "shares.json");
    exact.forEach(([n, d], mask) => {
      same(d > 0n ? floorDiv(n, d) : floorDiv(-n, -d), b.head.table[mask], `table[${mask}]`);
      same(b.head.table[mask], integer(shares.table[mask], "shares.json"), `shares.json: table[${mask}]`);
    });
  },
  shapley(b) {
    same(stageAmounts(b.head.table), b.head.amounts, "amounts"); same(b.head.amounts, b.head.updates.map((u) => u.afterwards.total - u.before.total), "totals");
  },
  telescoping(b) {
    const lines = b.lines("allocation.jsonl"), seen = new Set();
    b.head.stages.forEach((stage, at) => {
      const rows = b.ledger(stage), parts = split(b.head.amounts[at], rows.map((row) => row.weight));
      same(b.head.amounts[at], sum(parts), `${stage}: sum of the parts`);
      const left = new Map(rows.map((row, index) => [row.id, [row.weight, parts[index]]]));
      if (left.size !== rows.length || left.has(ZERO)) refuse(`${stage}: a contributor stands twice, or nobody once`);
      for (const line of lines.filter((one) => one.stage === stage)) {
        if (seen.has(stage + line.contributor_id)) refuse(`${stage}: ${line.contributor_id} twice`);
        seen.add(stage + line.contributor_id); same(left.get(line.contributor_id), [integer(line.weight, "weight"), integer(line.amount, "amount")], `${stage}: ${line.contributor_id}`);
        left.delete(line.contributor_id);
      }
      for (const [id, [weight]] of left) same(0n, weight, `${stage}: weight of ${id}, who has no line`);
    });
  },
  roots(b, c) {
    b.head.stages.forEach((stage, at) => {
      const rows = b.ledger(stage), { before, afterwards, weightRoot, weightTotal } = c.proposal.stages[at];
      same([afterwards.root, afterwards.total], top(rows.map((row) => leaf(row.id, row.cumulative)), afterwards.depth), `${stage}: root`);
      same([weightRoot, weightTotal], top(rows.map((row) => [ZERO, row.weight]), afterwards.depth), `${stage}: weight root`);
      same(Math.max(before.depth, 1, Math.ceil(Math.log2(rows.length || 1))), afterwards.depth, `${stage}: depth`);
    });
  },
  transition(b, c) {
    b.head.stages.forEach((stage, at) => {
      const rows = b.ledger(stage), { before } = b.head.updates[at];
      const parts = split(b.head.amounts[at], rows.map((row) => row.weight)), old = rows.map((row, i) => row.cumulative - parts[i]);
      if (old.some((amount) => amount < 0n)) refuse(`${stage}: somebody lost money`);
      const least = old.findLastIndex((amount) => amount > 0n) + 1, most = Math.min(old.length, 2 ** before.depth);
      for (let count = least, tried = 0; count <= most; count++, tried++) {
        if (tried === TRIES) throw new Unknown(`${stage}: which leaves are new cannot be told`);
        const [root, total] = top(rows.slice(0, count).map((row, i) => leaf(row.id, old[i])), before.depth);
        if (root === before.root && total === before.total) return;
      }
      refuse(`${stage}: no ledger with the root before leads to this one`);
    });
  },
  older(b, c, older) {
    for (const one of older) {
      const event = c.named("Proposed").find((p) => p.evidence === `0x${one.evidence}`);
      if (!event || `${event.number}` !== one.manifest.number) refuse(`${one.folder}: no bundle of this pool`);
      const then = { ...c, proposal: event, evidence: one.evidence };
      for (const name of ["manifest", "identity", "proposal", "roots", "transition"]) CHECKS[name](one, then);
    }
  },
  history(b, c) {
    let ledgers = Array(c.terms.stageCount).fill(INITIAL);
    c.named("Proposed").forEach((p, at) => {
      same(BigInt(at + 1), p.number, "number");
      same(stageAmounts([...p.table]), p.amounts, `settlement ${p.number}: amounts`);
      same(ledgers, p.stages.map((s) => s.before), `settlement ${p.number}: ledgers before`);
      same(p.amounts, p.stages.map((s) => s.afterwards.total - s.before.total), `settlement ${p.number}: totals`);
      if (c.status(p.number) === ACTIVE) ledgers = p.stages.map((s) => s.afterwards);
    });
    same(c.number, BigInt(c.named("Proposed").length), "latest number");
    same(ledgers.map(commitment), c.commitments, "commitments");
    c.order.forEach((place, at) => { if (at && place <= c.order[at - 1]) throw new False("events are out of order"); });
  },
  books(b, c) {
    const allocated = sum(c.named("Proposed").filter((p) => c.status(p.number) === ACTIVE).map((p) => p.table.at(-1)));
    const pending = sum(c.named("Proposed").filter((p) => c.status(p.number) === PENDING).map((p) => p.table.at(-1)));
    same(pending, c.pending, "pending");
    const total = (name) => sum(c.named(name).map((args) => args.amount));
    same(total("Deposited") - total("Refunded"), allocated + pending + c.unallocated, "deposits");
    if (c.unclaimed < allocated - total("Claimed")) refuse(`unclaimed: ${c.unclaimed}`); // more may have been sent without deposit
    const paid = new Map();
    for (const { stage, contributorId, amount, cumulative } of c.named("Claimed")) {
      paid.set(stage + contributorId, (paid.get(stage + contributorId) ?? 0n) + amount);
      same(cumulative, paid.get(stage + contributorId), `claims of ${contributorId} in stage ${stage}`);
    }
    if (c.proposal.number !== c.activeNumber) return;
    const due = new Map(b.head.stages.flatMap((name, stage) => b.ledger(name).map((row) => [stage + row.id, row.cumulative])));
    for (const [key, amount] of paid) if (amount > (due.get(key) ?? 0n)) refuse(`claims of ${key}: ${amount}`);
  },
};
const gcd = (a, b) => (a ? gcd(b % a, a) : b);
const lowest = (text) => { const [n, d] = ratio(text); if (gcd(n < 0n ? -n : n, d) !== 1n) refuse(`not in lowest terms: ${text}`); };
function stageValues(one) { // the outer game, by bit mask over the stages
  const masks = []; let start = 0n;
  for (const assets of one.assets) { masks.push(((1n << BigInt(assets.length)) - 1n) << start); start += BigInt(assets.length); }
  return Array.from({ length: 2 ** masks.length }, (_, mask) => integer(one.values_ppm[toHex(sum(masks.filter((_, i) => (mask >> i) & 1)))], `value of stages ${mask}`));
}
let exit = 0;
async function run(name, check) {
  let verdict = "true", detail = "";
  try { await check(); } catch (error) { [verdict, detail] = [error instanceof Unknown ? "unknown" : "false", `${error.message}`]; }
  if (verdict === "false") exit = 1; else if (verdict === "unknown" && exit === 0) exit = 2;
  console.log(JSON.stringify({ check: name, verdict, detail: detail.slice(0, 400) }));
  return verdict === "true";
}
const [args, older] = [process.argv.slice(2), []]; let bundle, chain, before;
while (args[0] === "--older") older.push(args.splice(0, 2)[1]);
const ready = args.length === 2
  && await run("read", () => { bundle = new Bundle(args[0]); before = older.map((folder) => new Bundle(folder)); })
  && await run("chain", async () => {
    chain = await facts(args[1], bundle.manifest.pool);
    chain.proposal = chain.named("Proposed").find((p) => `${p.number}` === bundle.manifest.number);
    if (!chain.proposal) refuse(`settlement ${bundle.manifest.number} was never proposed`);
    chain.evidence = chain.proposal.evidence.slice(2);
  });
if (args.length !== 2) { console.error("usage: verify.mjs [--older DIR]... BUNDLE RPC_URL"); exit = 2; }
if (ready) for (const [name, check] of Object.entries(CHECKS)) await run(name, () => check(bundle, chain, before));
process.exit(exit);
