/** What went wrong, in a sentence that says what to do. */
import { BaseError, ContractFunctionExecutionError, ContractFunctionRevertedError, ContractFunctionZeroDataError } from 'viem';
import { poolAbi } from './chain';
import { BrokenData, WrongRegistry } from './data';
import { clean, shortHex } from './text';
import { errorCode } from './wallet';

const when = (seconds: unknown) => new Date(Number(seconds) * 1000).toLocaleString();

const SENTENCES: Record<string, (args: readonly unknown[]) => string> = {
  InvalidProof: () => 'The chain does not accept this proof: a newer settlement has probably replaced it. Reload the page; if that does not help, the operator must publish its latest files.',
  ReachesReserves: () => 'The pool does not hold this much allocated money. Its ledger is wrong: do not send this again, and tell the operator and the auditors.',
  NothingToClaim: () => 'There is nothing left to claim: it has been paid already.',
  NothingOwed: () => 'Nothing is waiting to be withdrawn: it has been paid already.',
  Unbound: () => 'This name is not bound to a wallet yet. Bind it first; the money waits.',
  NotHolder: ([, sender]) => `Only the wallet that holds this id can do this, and ${shortHex(String(sender))} does not hold it.`,
  NotAllowed: ([, sender]) => `Only the wallet that holds this id can do this, and ${shortHex(String(sender))} does not hold it.`,
  InvalidSignature: ([signer]) => `The signature is not from ${shortHex(String(signer))}, or was used already. Ask for a fresh one.`,
  SignatureExpired: ([deadline]) => `The signature was good until ${when(deadline)}. Ask for a fresh one.`,
  AlreadyBound: () => 'This name is bound to a wallet already. If it is not yours, ask the registrar.',
  InvalidNamedId: () => 'This id is an address and not a name: it needs no binding.',
  ZeroAddress: () => 'An address is missing.',
  ZeroRecipient: () => 'The recipient is missing.',
  MixedContributors: () => 'These claims belong to different contributors.',
  NotEnoughGas: () => 'The gas limit is too low to pay everybody in this claim.',
  ReentrancyGuardReentrantCall: () => 'The recipient tried to call the pool again while it was paid.',
  SafeERC20FailedOperation: () => 'The token refused the transfer to this recipient.',
  InsufficientBalance: () => 'The pool could not pay this out.',
};

const refused = 'You declined in the wallet. Nothing was sent.';

export function explain(error: unknown): string {
  const code = errorCode(error);
  if (code === 4001 || code === 5000) return refused;
  if (code === 4100) return 'The wallet has not allowed this page to use this account. Connect again.';
  if (code === 4900 || code === 4901) return 'The wallet is not connected to its chain.';
  if (code === -32002) return 'The wallet is still waiting for your answer to an earlier question. Open it.';
  if (error instanceof WrongRegistry) return error.message;
  if (error instanceof BrokenData) return `The site’s files are damaged or of another version (${clean(error.message, 80)}). The operator must publish them again.`;
  if (error instanceof BaseError) {
    const reverted = error.walk((inner) => inner instanceof ContractFunctionRevertedError);
    if (reverted instanceof ContractFunctionRevertedError) {
      const name = reverted.data?.errorName;
      const sentence = name && SENTENCES[name];
      if (sentence) return sentence(reverted.data?.args ?? []);
      return `The contract refuses: ${clean(name ?? reverted.reason ?? reverted.shortMessage, 120)}.`;
    }
    if (error instanceof ContractFunctionExecutionError && error.walk((inner) => inner instanceof ContractFunctionZeroDataError)) {
      return `There is no ${error.abi === poolAbi ? 'pool' : 'contract'} ${shortHex(error.contractAddress ?? '')} on this chain. Is this the right node?`;
    }
    if (/insufficient funds|gas required exceeds/i.test(error.message)) return 'Your account has too little ETH for the network fee. Somebody else can send the claim for you: choose “Let somebody else send it”.';
    if (unreachable(error)) return 'The node does not answer. Check your connection; the page tries again by itself.';
  }
  const message = error instanceof Error ? error.message : ((error as { message?: unknown } | null)?.message ?? String(error));
  if (/user rejected|user denied/i.test(String(message))) return refused;
  if (/insufficient funds/i.test(String(message))) return 'Your account has too little ETH for the network fee.';
  const short = error instanceof BaseError ? error.shortMessage : String(message);
  return `Something failed: ${clean(short.replace(/\s+/g, ' '), 160)}`;
}

export function unreachable(error: unknown): boolean {
  if (!(error instanceof BaseError)) return false;
  return error.walk((inner) => ['HttpRequestError', 'TimeoutError', 'WebSocketRequestError'].includes((inner as Error).name)) !== null;
}
