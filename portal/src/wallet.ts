/** Wallets in the browser: EIP-6963 announcements, or whatever stands at window.ethereum. Keys never come here. */
import type { Address, Hex } from 'viem';
import { getAddress } from 'viem/utils';
import type { Pool } from './data';

export type Provider = {
  request(call: { method: string; params?: unknown }): Promise<unknown>;
  on?(event: string, listen: (value: never) => void): void;
  removeListener?(event: string, listen: (value: never) => void): void;
};
export type Wallet = { id: string; name: string; icon: string; provider: Provider };
export type Connection = { wallet: Wallet; account: Address; chainId: number; contract: boolean };

/** Tells of each wallet once, as it announces itself. */
export function discover(found: (wallet: Wallet) => void): void {
  const seen = new Set<string>();
  addEventListener('eip6963:announceProvider', (event) => {
    const { info, provider } = ((event as CustomEvent).detail ?? {}) as { info?: Record<string, unknown>; provider?: Provider };
    if (!info || typeof info.uuid !== 'string' || typeof info.name !== 'string' || !provider || seen.has(info.uuid)) return;
    seen.add(info.uuid);
    // Only pictures that are inside the announcement: an address would tell its server who looks.
    const icon = typeof info.icon === 'string' && /^data:image\/(png|svg\+xml|webp|jpeg|gif)[;,]/.test(info.icon) ? info.icon : '';
    found({ id: info.uuid, name: info.name, icon, provider });
  });
  dispatchEvent(new Event('eip6963:requestProvider'));
  setTimeout(() => {
    const plain = (window as unknown as { ethereum?: Provider }).ethereum;
    if (plain && seen.size === 0) found({ id: 'window.ethereum', name: 'Browser wallet', icon: '', provider: plain });
  }, 150);
}

const firstAccount = (accounts: unknown): Address | null =>
  Array.isArray(accounts) && typeof accounts[0] === 'string' ? getAddress(accounts[0]) : null;

export async function connect(wallet: Wallet, ask: boolean): Promise<{ account: Address; chainId: number } | null> {
  const account = firstAccount(await wallet.provider.request({ method: ask ? 'eth_requestAccounts' : 'eth_accounts' }));
  if (!account) return null;
  return { account, chainId: Number(await wallet.provider.request({ method: 'eth_chainId' })) };
}

/** Asks the wallet to go to the pool's chain, and to add it where it does not know it (EIP-3326, EIP-3085). */
export async function switchChain(wallet: Wallet, pool: Pool): Promise<void> {
  const chainId = `0x${pool.chain.id.toString(16)}`;
  try {
    await wallet.provider.request({ method: 'wallet_switchEthereumChain', params: [{ chainId }] });
  } catch (error) {
    if (errorCode(error) !== 4902) throw error;
    const { name, rpc, explorer, currency } = pool.chain;
    const chain = { chainId, chainName: name, rpcUrls: [rpc], nativeCurrency: { name: currency, symbol: currency, decimals: 18 }, ...(explorer && { blockExplorerUrls: [explorer] }) };
    await wallet.provider.request({ method: 'wallet_addEthereumChain', params: [chain] });
  }
}

/** The number of an EIP-1193 error, also where a wallet has wrapped it. */
export function errorCode(error: unknown): number | undefined {
  for (let at = error as { code?: unknown; cause?: unknown; data?: { originalError?: unknown } } | undefined, steps = 0; at && steps < 8; steps++) {
    if (typeof at.code === 'number') {
      const inner = at.data?.originalError as { code?: unknown } | undefined;
      return typeof inner?.code === 'number' ? inner.code : at.code;
    }
    at = at.cause as typeof at;
  }
  return undefined;
}

export async function signTypedData(connection: Connection, data: object): Promise<Hex> {
  const json = JSON.stringify(data, (_, value) => (typeof value === 'bigint' ? value.toString() : value));
  return (await connection.wallet.provider.request({ method: 'eth_signTypedData_v4', params: [connection.account, json] })) as Hex;
}

export async function sendTransaction(connection: Connection, to: Address, data: Hex, gas: bigint): Promise<Hex> {
  const transaction = { from: connection.account, to, data, gas: `0x${gas.toString(16)}` };
  return (await connection.wallet.provider.request({ method: 'eth_sendTransaction', params: [transaction] })) as Hex;
}
