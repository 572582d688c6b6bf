/** What a contributor does: each flow shows what will happen, simulates it, and follows it to its receipt. */
import { type Abi, type Address, type Hex } from 'viem';
import { estimateGas, getGasPrice, getTransactionReceipt, simulateContract } from 'viem/actions';
import { decodeFunctionData, encodeFunctionData, getAddress, isAddress } from 'viem/utils';
import { askPool, askRegistry, checkRegistry, poolAbi, registryAbi } from './chain';
import { BrokenData, type Pool, nameHash, namedId } from './data';
import { button, download, h, show } from './dom';
import type { Row } from './earnings';
import { explain, unreachable } from './errors';
import { type Page, wrongChain } from './state';
import { clean, exact, exactMoney, exactTime, foreign, shortHex, stageName } from './text';
import { type Connection, sendTransaction, signTypedData } from './wallet';

export const BIND_KEY = 'bind';
const DAY = 86_400;

type Call = { to: Address; abi: Abi; functionName: string; args: unknown[] };
type Line = [label: string, value: string | HTMLElement];

let close: (() => void) | null = null;

/** Closes what is open, because the account or chain under it has changed. */
export const interrupt = (): boolean => {
  const wasOpen = close !== null;
  close?.();
  return wasOpen;
};

type Dialog = { body: HTMLElement; say(text: string, kind?: string): void; close(): void; open: boolean };

function dialog(title: string): Dialog {
  close?.();
  const body = h('div', { class: 'body' });
  const status = h('p', { class: 'progress', role: 'status', 'aria-live': 'assertive' });
  const element = h('dialog', { 'aria-labelledby': 'dialog-title', id: 'dialog' }, h('h2', { id: 'dialog-title' }, title), body, status) as HTMLDialogElement;
  const result: Dialog = {
    body,
    open: true,
    say: (text, kind = '') => {
      status.textContent = text;
      status.className = `progress ${kind}`;
    },
    close: () => element.close(),
  };
  element.addEventListener('close', () => {
    result.open = false;
    if (close === result.close) close = null;
    element.remove();
  });
  document.body.append(element);
  close = result.close;
  element.showModal();
  return result;
}

const facts = (lines: Line[]): HTMLElement => h('dl', { class: 'facts' }, ...lines.flatMap(([label, value]) => [h('dt', {}, label), h('dd', {}, value)]));
const address = (text: string): HTMLElement => h('code', { class: 'long' }, text);

function field(id: string, label: string, attributes: Record<string, string>, hint = ''): HTMLElement {
  return h('p', { class: 'field' }, h('label', { for: id }, label), h('input', { id, autocomplete: 'off', spellcheck: 'false', ...attributes }), hint ? h('small', {}, hint) : null);
}
const valueOf = (body: HTMLElement, id: string): string => body.querySelector<HTMLInputElement>(`#${id}`)!.value.trim();

function readAddress(body: HTMLElement, id: string): Address {
  const typed = valueOf(body, id);
  if (!isAddress(typed)) throw new Error('expected an address: 0x and 40 digits, with its capital letters as given');
  if (BigInt(typed) === 0n) throw new Error('expected an address other than zero');
  return getAddress(typed);
}

const where = (pool: Pool): Line[] => [
  ['Chain', `${clean(pool.chain.name)} (${pool.chain.id})`],
  ['Contract', address(pool.address)],
];

/** Refuses to go on with another account or chain than the one that the dialog showed. */
async function sameWallet(connection: Connection, pool: Pool): Promise<void> {
  const { provider } = connection.wallet;
  const accounts = (await provider.request({ method: 'eth_accounts' })) as string[];
  const chainId = Number(await provider.request({ method: 'eth_chainId' }));
  if (accounts[0]?.toLowerCase() !== connection.account.toLowerCase()) throw new Error('the wallet has switched to another account; start again');
  if (chainId !== pool.chain.id) throw new Error('the wallet has switched to another chain; switch back and start again');
}

/** Tries a call out. Some wallets hide why a call reverts, so the site's node is asked for the reason. */
async function simulate(page: Page, call: Call, account: Address): Promise<void> {
  const request = { address: call.to, abi: call.abi, functionName: call.functionName, args: call.args, account };
  try {
    await simulateContract(page.reader(), request);
  } catch (error) {
    if (page.reader() === page.node()) throw error;
    await simulateContract(page.node(), request).catch((reason: unknown) => {
      throw unreachable(reason) ? error : reason;
    });
    throw error;
  }
}

/** Shows, simulates, estimates, asks, sends and follows one transaction. */
async function transact(page: Page, title: string, lines: Line[], call: Call, done: string): Promise<void> {
  const connection = page.state.connection!;
  const pool = page.state.pool!;
  const box = dialog(title);
  const cancel = button('Cancel', 'cancel', box.close);
  show(box.body, facts([...lines, ['From', address(connection.account)]]), h('div', { class: 'row end' }, cancel));
  box.say('Trying it out first…');
  try {
    const client = page.reader();
    if (call.to === pool.registry) await checkRegistry(client, pool);
    await simulate(page, call, connection.account);
    const data = encodeFunctionData({ abi: call.abi, functionName: call.functionName, args: call.args });
    const [gas, price] = await Promise.all([estimateGas(client, { account: connection.account, to: call.to, data }), getGasPrice(client)]);
    if (!box.open) return;
    const limit = (gas * 12n) / 10n;
    const send = async () => {
      go.setAttribute('disabled', '');
      box.say('Look at your wallet: it asks you to confirm.', 'busy');
      try {
        await sameWallet(connection, pool);
        const hash = await sendTransaction(connection, call.to, data, limit);
        await follow(page, box, hash, done);
      } catch (error) {
        go.removeAttribute('disabled');
        box.say(explain(error), 'bad-text');
      }
    };
    const go = button('Confirm in the wallet', 'confirm', () => void send(), { class: 'main' });
    const fee = `about ${exact(ceilTo(gas * price), 18)} ${clean(pool.chain.currency, 8)}`;
    show(box.body, facts([...lines, ['From', address(connection.account)], ['Network fee', fee]]), h('div', { class: 'row end' }, cancel, go));
    go.focus();
    box.say('');
  } catch (error) {
    box.say(explain(error), 'bad-text');
  }
}

/** Two digits that say how much, rounded up. */
function ceilTo(amount: bigint): bigint {
  const unit = 10n ** BigInt(Math.max(0, amount.toString().length - 2));
  return ((amount + unit - 1n) / unit) * unit;
}

async function follow(page: Page, box: Dialog, hash: Hex, done: string): Promise<void> {
  box.say(`Sent (${shortHex(hash)}). Waiting for the chain…`, 'busy');
  show(box.body, facts([['Transaction', address(hash)]]), h('div', { class: 'row end' }, button('Close', 'close', box.close)));
  const client = page.reader();
  for (let tries = 0; ; tries++) {
    const receipt = await getTransactionReceipt(client, { hash }).catch(() => null);
    if (receipt) {
      const good = receipt.status === 'success';
      box.say(good ? done : 'The chain refused the transaction; only the network fee was spent. Reload and try again.', good ? 'good-text' : 'bad-text');
      if (!box.open) page.note(good ? done : 'The chain refused the transaction.');
      await page.refresh();
      return;
    }
    if (tries === 40) {
      box.say(page.state.connection?.contract
        ? 'The wallet has it and waits for its other signers. This page shows the payment when it is on the chain; you can close it.'
        : 'The chain has not taken it up yet. It may still come: look into your wallet before you send it again.', 'busy');
    }
    await new Promise((resolve) => setTimeout(resolve, tries < 10 ? 500 : 3000));
  }
}

const total = (rows: Row[]): bigint => rows.reduce((sum, row) => sum + row.claimable, 0n);
const toClaim = (page: Page, row: Row) => ({ stage: row.stage, index: row.leaf!.index, contributorId: page.state.subject!.id, cumulative: row.leaf!.cumulative, proof: row.leaf!.proof });
const amountLines = (page: Page, rows: Row[]): Line[] => [
  ['Amount', h('strong', {}, exactMoney(total(rows), page.state.pool!.token))],
  [rows.length > 1 ? 'Stages' : 'Stage', rows.map((row) => stageName(page.state.pool!.stages[row.stage]!)).join(', ')],
];

export async function claimRows(page: Page, rows: Row[]): Promise<void> {
  const pool = page.state.pool!;
  const call = rows.length === 1
    ? { to: pool.address, abi: poolAbi, functionName: 'claim', args: [toClaim(page, rows[0]!)] }
    : { to: pool.address, abi: poolAbi, functionName: 'claimBatch', args: [rows.map((row) => toClaim(page, row))] };
  await transact(page, 'Claim', [...amountLines(page, rows), ['Paid to', address(page.state.chain!.payout)], ...where(pool)], call, `Paid: ${exactMoney(total(rows), pool.token)}.`);
}

/** A form in a dialog: `go` gets what was typed, and what it throws is shown. */
function ask(title: string, parts: Node[], label: string, go: (box: Dialog) => Promise<void>): void {
  const box = dialog(title);
  const form = h('form', { submit: (event) => {
    event.preventDefault();
    box.say('');
    go(box).catch((error: unknown) => box.say(explain(error), 'bad-text'));
  } }, ...parts, h('div', { class: 'row end' }, button('Cancel', 'cancel', box.close), h('button', { type: 'submit', class: 'main' }, label)));
  show(box.body, form);
  form.querySelector('input')?.focus();
}

export function claimTo(page: Page, rows: Row[]): void {
  const pool = page.state.pool!;
  ask('Claim to another address', [facts(amountLines(page, rows)), field('recipient', 'Recipient', { placeholder: '0x…', required: '' }, 'Check every digit: nobody can bring money back from a wrong address.')], 'Go on', async (box) => {
    const recipient = readAddress(box.body, 'recipient');
    const call = { to: pool.address, abi: poolAbi, functionName: 'claimTo', args: [rows.map((row) => toClaim(page, row)), recipient, '0x', 0n] };
    await transact(page, 'Claim to another address', [...amountLines(page, rows), ['Paid to', address(recipient)], ...where(pool)], call, `Paid: ${exactMoney(total(rows), pool.token)}.`);
  });
}

const DOMAIN = [
  { name: 'name', type: 'string' },
  { name: 'version', type: 'string' },
  { name: 'chainId', type: 'uint256' },
  { name: 'verifyingContract', type: 'address' },
];
const fields = (text: string) => text.split(',').map((part) => ({ type: part.split(' ')[0]!, name: part.split(' ')[1]! }));
const typed = (name: string, pool: Pool, contract: Address, primaryType: string, types: string, message: object) => ({
  types: { EIP712Domain: DOMAIN, [primaryType]: fields(types) },
  primaryType,
  domain: { name, version: '1', chainId: pool.chain.id, verifyingContract: contract },
  message,
});

export function signForOthers(page: Page, rows: Row[]): void {
  const pool = page.state.pool!;
  const connection = page.state.connection!;
  const payout = page.state.chain!.payout;
  ask('Let somebody else send it', [
    h('p', {}, 'You sign, and pay no network fee. Your signature names the recipient and not the amounts: whoever sends it chooses which of this id’s leaves are paid, and all of it goes to the recipient.'),
    facts(amountLines(page, rows)),
    field('recipient', 'Recipient', { value: payout, required: '' }),
    field('days', 'Good for how many days', { type: 'number', min: '1', max: '365', value: '7', required: '' }),
  ], 'Sign in the wallet', async (box) => {
    const recipient = readAddress(box.body, 'recipient');
    const days = Number(valueOf(box.body, 'days'));
    if (!(days >= 1 && days <= 365)) throw new Error('expected 1 to 365 days');
    const deadline = BigInt(page.state.chain!.time + Math.round(days * DAY));
    const client = page.reader();
    const nonce = await askPool<bigint>(client, pool, 'nonces', connection.account);
    await sameWallet(connection, pool);
    box.say('Look at your wallet: it asks you to sign.', 'busy');
    const message = { contributorId: page.state.subject!.id, recipient, nonce, deadline };
    const signature = await signTypedData(connection, typed('AME SettlementPool', pool, pool.address, 'ClaimTo', 'bytes32 contributorId,address recipient,uint256 nonce,uint256 deadline', message));
    const args = [rows.map((row) => toClaim(page, row)), recipient, signature, deadline];
    // What the wallet signed is only worth giving away if the contract takes it.
    await simulate(page, { to: pool.address, abi: poolAbi, functionName: 'claimTo', args }, '0x000000000000000000000000000000000000dEaD');
    download(`ame-signed-claim-${page.state.subject!.id.slice(-8)}.json`, 'application/json', signedFile(page, rows, args as never, recipient));
    box.say('Signed. The file was saved: give it to whoever sends it.', 'good-text');
  });
}

function signedFile(page: Page, rows: Row[], args: [unknown[], Address, Hex, bigint], recipient: Address): string {
  const pool = page.state.pool!;
  return `${JSON.stringify({
    format: 'ame-signed-claim/1',
    chain_id: String(pool.chain.id),
    to: pool.address,
    contributor_id: page.state.subject!.id,
    recipient,
    amount: String(total(rows)),
    deadline: String(args[3]),
    data: encodeFunctionData({ abi: poolAbi, functionName: 'claimTo', args }),
  }, null, 2)}\n`;
}

async function readFile(body: HTMLElement, id: string): Promise<Record<string, unknown>> {
  const file = body.querySelector<HTMLInputElement>(`#${id}`)!.files?.[0];
  if (!file) throw new Error('choose a file');
  if (file.size > 1_000_000) throw new Error('this file is too large to be one');
  return parse(await file.text());
}

function parse(text: string): Record<string, unknown> {
  try {
    const found: unknown = JSON.parse(text);
    if (found && typeof found === 'object' && !Array.isArray(found)) return found as Record<string, unknown>;
  } catch {
    // falls through to the one message for all of these
  }
  throw new Error('this is not the file that was expected');
}

/** Sends a claim that somebody else has signed: the file's call goes to the pool as it is, after a simulation. */
export function openSigned(page: Page): void {
  const pool = page.state.pool!;
  const connection = page.state.connection!;
  ask('Send a signed claim', [h('p', {}, 'Somebody has signed a claim and gave you the file. You pay the network fee; the money goes to the recipient that they signed.'), field('signed', 'The file', { type: 'file', accept: '.json,application/json', required: '' })], 'Go on', async (box) => {
    const file = await readFile(box.body, 'signed');
    if (file.format !== 'ame-signed-claim/1' || typeof file.data !== 'string') throw new Error('this is not a signed claim');
    if (file.chain_id !== String(pool.chain.id) || String(file.to).toLowerCase() !== pool.address.toLowerCase()) throw new Error('this claim is for another pool or chain');
    const { functionName, args } = decodeFunctionData({ abi: poolAbi, data: file.data as Hex });
    if (functionName !== 'claimTo' || !args) throw new Error('this is not a signed claim');
    const [claims, recipient] = args as unknown as [{ contributorId: Hex; stage: number; cumulative: bigint }[], Address];
    const client = page.reader();
    const open = await Promise.all(claims.map(async (claim) => claim.cumulative - (await askPool<bigint>(client, pool, 'claimed', claim.stage, claim.contributorId))));
    const amount = open.reduce((sum, part) => sum + (part > 0n ? part : 0n), 0n);
    await transact(page, 'Send a signed claim', [['Amount', h('strong', {}, exactMoney(amount, pool.token))], ['Contributor', address(claims[0]?.contributorId ?? '')], ['Paid to', address(recipient)], ...where(pool)],
      { to: pool.address, abi: poolAbi, functionName, args: [...args] }, `Sent: ${exactMoney(amount, pool.token)}. Your account ${shortHex(connection.account)} paid the fee.`);
  });
}

export function withdrawOwed(page: Page): void {
  const pool = page.state.pool!;
  const amount = page.state.chain!.owed;
  ask('Withdraw what was refused', [facts([['Amount', exactMoney(amount, pool.token)]]), field('recipient', 'Recipient', { placeholder: '0x…', required: '' }, 'An address that accepts the money.')], 'Go on', async (box) => {
    const recipient = readAddress(box.body, 'recipient');
    await transact(page, 'Withdraw', [['Amount', h('strong', {}, exactMoney(amount, pool.token))], ['Paid to', address(recipient)], ...where(pool)],
      { to: pool.address, abi: poolAbi, functionName: 'withdrawOwed', args: [page.state.subject!.id, recipient] }, `Paid: ${exactMoney(amount, pool.token)}.`);
  });
}

export function changePayout(page: Page): void {
  const pool = page.state.pool!;
  ask('Change payout address', [h('p', {}, 'Everything that this id claims from now on goes to the new address, in all pools that use this registry.'), field('payout', 'New payout address', { placeholder: '0x…', required: '' })], 'Go on', async (box) => {
    const payout = readAddress(box.body, 'payout');
    await transact(page, 'Change payout address', [['New payout', address(payout)], ['Chain', `${clean(pool.chain.name)} (${pool.chain.id})`], ['Registry', address(pool.registry)]],
      { to: pool.registry, abi: registryAbi, functionName: 'setPayout', args: [page.state.subject!.id, payout] }, 'The payout address was changed.');
  });
}

/** `externalIdHash`: of the name; of contested content, which has none, its hash itself. */
export type Voucher = { name: string; externalIdHash: Hex; registrar: Address; holder: Address; recoverySeconds: number; deadline: bigint; signature: Hex };

/** A registrar's voucher, from a file or from the link #voucher=BASE64URL. */
export function readVoucher(page: Page, from: Record<string, unknown>): Voucher {
  const pool = page.state.pool!;
  const bad = (what: string): never => {
    throw new BrokenData(`voucher: ${what}`);
  };
  if (from.format !== 'ame-voucher/1') bad('format');
  if (from.chain_id !== String(pool.chain.id)) throw new Error('this voucher is for another chain');
  if (typeof from.registry !== 'string' || from.registry.toLowerCase() !== pool.registry.toLowerCase()) throw new Error('this voucher is for another registry');
  const { name, registrar, holder, recovery_seconds: recovery, deadline, signature, external_id_hash: content } = from;
  if (typeof name !== 'string' || !isAddress(String(registrar)) || !isAddress(String(holder))) bad('name, registrar or holder');
  if (typeof recovery !== 'string' || !/^\d{1,10}$/.test(recovery) || typeof deadline !== 'string' || !/^\d{1,20}$/.test(deadline)) bad('times');
  if (typeof signature !== 'string' || !/^0x([0-9a-f]{2})+$/i.test(signature)) bad('signature');
  if (content !== undefined && (typeof content !== 'string' || !/^0x[0-9a-f]{64}$/.test(content) || name !== `sha256:${content.slice(2)}`)) bad('external_id_hash');
  return { name: name as string, externalIdHash: (content as Hex | undefined) ?? nameHash(name as string), registrar: getAddress(registrar as string), holder: getAddress(holder as string), recoverySeconds: Number(recovery), deadline: BigInt(deadline as string), signature: signature as Hex };
}

export function fromLink(text: string): Record<string, unknown> {
  try {
    const bytes = Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), (letter) => letter.charCodeAt(0));
    return parse(new TextDecoder().decode(bytes));
  } catch {
    throw new Error('this link holds no voucher');
  }
}

export function bindForm(page: Page): void {
  ask('Bind a name', [
    h('p', {}, 'A registrar vouches that a name such as hf:alice is yours and gives you a file or a link. Binding it to your wallet lets you claim what the name has earned.'),
    field('voucher', 'The registrar’s voucher', { type: 'file', accept: '.json,application/json', required: '' }),
  ], 'Go on', async (box) => bindWith(page, readVoucher(page, await readFile(box.body, 'voucher'))));
}

function bindWarnings(pool: Pool, { name, registrar, recoverySeconds }: Voucher): string[] {
  const namespace = name.split(':')[0]!;
  const warnings: string[] = [];
  if (pool.registrars.get(namespace)?.toLowerCase() !== registrar.toLowerCase()) {
    warnings.push(`this registrar is not one that the pool’s rights name for ${clean(namespace, 16)}: — bind only if you know whose it is.`);
  }
  if (recoverySeconds > 0 && recoverySeconds < DAY) {
    warnings.push(`the registrar can take this name from you after only ${exactTime(recoverySeconds)}, which is less than a day.`);
  }
  return warnings;
}

/** Shows the voucher, asks for the payout address, has it signed, and sends it. */
export function bindWith(page: Page, voucher: Voucher): void {
  const pool = page.state.pool!;
  const connection = page.state.connection;
  const id = namedId(voucher.registrar, voucher.externalIdHash);
  const lines: Line[] = [
    ['Name', foreign(voucher.name)],
    ['Vouched for by', address(voucher.registrar)],
    ['Good until', new Date(Number(voucher.deadline) * 1000).toLocaleString()],
    ['Recovery', voucher.recoverySeconds ? `the registrar can move it after a notice of ${exactTime(voucher.recoverySeconds)}` : 'never: lose the key and the name is lost'],
  ];
  const warnings = bindWarnings(pool, voucher).map((text) => h('p', { class: 'bad-text' }, h('strong', {}, 'Careful: '), text));
  if (!connection || wrongChain(page.state) || connection.account.toLowerCase() !== voucher.holder.toLowerCase()) {
    const box = dialog('Bind a name');
    show(box.body, facts([...lines, ['For the wallet', address(voucher.holder)]]), ...warnings, h('p', {}, 'Connect this wallet on the pool’s chain, then open the voucher again.'), h('div', { class: 'row end' }, button('Close', 'cancel', box.close)));
    return;
  }
  ask('Bind a name', [facts(lines), ...warnings, field('payout', 'Pay me at', { value: connection.account, required: '' })], 'Sign in the wallet', async (box) => {
    const payout = readAddress(box.body, 'payout');
    const client = page.reader();
    const nonce = await askRegistry<bigint>(client, pool, 'nonces', connection.account);
    const deadline = BigInt(page.state.chain!.time + DAY);
    await sameWallet(connection, pool);
    box.say('Look at your wallet: it asks you to sign.', 'busy');
    const message = { contributorId: id, holder: voucher.holder, payout, recoverySeconds: voucher.recoverySeconds, nonce, deadline };
    const signature = await signTypedData(connection, typed('AME ContributorRegistry', pool, pool.registry, 'Bind', 'bytes32 contributorId,address holder,address payout,uint32 recoverySeconds,uint256 nonce,uint256 deadline', message));
    await transact(page, 'Bind a name', [['Name', foreign(voucher.name)], ['Pay me at', address(payout)], ['Chain', `${clean(pool.chain.name)} (${pool.chain.id})`], ['Registry', address(pool.registry)]],
      { to: pool.registry, abi: registryAbi, functionName: 'bind', args: [voucher.registrar, voucher.externalIdHash, voucher.holder, payout, voucher.recoverySeconds, voucher.deadline, deadline, voucher.signature, signature] },
      'The name is bound to your wallet.');
    page.subject(id, voucher.name);
  });
}

/** The leaves with their proofs and ready call data, for other tools (docs/portal.md shows cast). */
export function exportClaim(page: Page, rows: Row[]): void {
  const pool = page.state.pool!;
  const claims = rows.map((row) => toClaim(page, row));
  const file = {
    format: 'ame-claim/1',
    chain_id: String(pool.chain.id),
    to: pool.address,
    amount: String(total(rows)),
    claims: claims.map((claim) => ({ stage: claim.stage, index: claim.index, contributor_id: claim.contributorId, cumulative: String(claim.cumulative), proof: claim.proof })),
    data: encodeFunctionData({ abi: poolAbi, functionName: 'claimBatch', args: [claims] }),
  };
  download(`ame-claim-${page.state.subject!.id.slice(-8)}.json`, 'application/json', `${JSON.stringify(file, null, 2)}\n`);
}
