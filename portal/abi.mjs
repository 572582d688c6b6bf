// Writes src/abi.json: the part of the shipped contracts' ABIs that the page uses. Run after `make artifacts`.
import { readFileSync, writeFileSync } from 'node:fs';

const root = new URL('..', import.meta.url);
const used = {
  SettlementPool: [
    'claim', 'claimBatch', 'claimTo', 'withdrawOwed', 'terms', 'status', 'statusOf', 'updatesHash', 'commitments', 'claimed', 'owed', 'nonces',
    'Claimed', 'Owed', 'OwedWithdrawn', 'Proposed',
  ],
  ContributorRegistry: ['bind', 'setPayout', 'payoutOf', 'holderOf', 'nonces', 'Bound', 'HolderTransferred'],
};
const bare = ({ type, name, indexed, components }) => ({
  type, name, ...(indexed !== undefined && { indexed }), ...(components && { components: components.map(bare) }),
});
const abis = {};
for (const [contract, names] of Object.entries(used)) {
  const { abi } = JSON.parse(readFileSync(new URL(`ame/execution/artifacts/${contract}.json`, root))).contractType;
  abis[contract] = abi
    .filter((item) => item.type === 'error' || names.includes(item.name))
    .map(({ type, name, inputs, outputs, stateMutability }) => ({
      type, name, inputs: inputs.map(bare), ...(outputs && { outputs: outputs.map(bare) }), ...(stateMutability && { stateMutability }),
    }));
  const missing = names.filter((name) => !abis[contract].some((item) => item.name === name));
  if (missing.length) throw new Error(`${contract} has no ${missing.join(', ')}`);
}
writeFileSync(new URL('src/abi.json', import.meta.url), `${JSON.stringify(abis)}\n`);
